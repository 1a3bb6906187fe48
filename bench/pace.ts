/**
 * When users send. In the closed loop every user keeps `window` messages in flight and sends the next when one arrives.
 * In the open loop messages leave at a fixed rate, whatever comes back.
 */

/** `send` lets a user send this many messages. */
export function createPace(users: number, send: (user: number, messages: number) => void) {
  /** Messages that each user keeps in flight; 0 while no closed loop runs. */
  let window = 0;

  return {
    /** A place in the window of a user is free again. */
    refill: (user: number, messages: number): void => {
      if (window > 0) send(user, messages);
    },

    /** Keeps `perUser` messages of every user in flight until the returned function is called. */
    closedLoop: (perUser: number): (() => void) => {
      window = perUser;
      for (let user = 0; user < users; user += 1) send(user, window);
      return () => void (window = 0);
    },

    /** Sends `perSecond` messages a second, the users in turn, until the returned function is called. */
    openLoop: (perSecond: number): (() => void) => {
      const startedAt = performance.now();
      let sent = 0;
      const timer = setInterval(() => {
        const due = Math.floor(((performance.now() - startedAt) * perSecond) / 1000);
        for (; sent < due; sent += 1) send(sent % users, 1);
      }, 1);
      return () => clearInterval(timer);
    },
  };
}
