import WebSocket from 'ws';
import { createRequests, type Requests } from './requests.ts';
import { parseFrame, type Frame, type Welcome } from './wire.ts';

/**
 * One socket from its opening to its end: hello, frames in and out, and the heartbeat that notices a dead one.
 * It never reconnects; `ended` is called exactly once, whatever happened.
 */
export type Connection = {
  requests: Requests;
  transmit(frame: Frame): void;
  /** Ends in good order: the closing handshake, with a bound. */
  close(): void;
  /** Ends at once, as a lost network does. */
  cut(): void;
};

export type ConnectionEvents = {
  welcome(welcome: Welcome): void;
  /** Every frame that answers no request. */
  frame(frame: Frame): void;
  /** About once a second while connected. */
  tick(now: number): void;
  ended(code: number, reason: string): void;
};

export type ConnectionLimits = { handshakeMs: number; requestTimeoutMs: number; closeMs: number };

const tickMs = 1000;

export function openConnection(
  url: string,
  hello: Frame,
  limits: ConnectionLimits,
  events: ConnectionEvents,
): Connection {
  const socket = new WebSocket(`${url}/v1/ws`, ['restante.v1'], {
    handshakeTimeout: limits.handshakeMs,
    perMessageDeflate: false,
  });
  let heardAt = Date.now();
  let heartbeatMs = Number.POSITIVE_INFINITY;
  let greeted = false;
  let askedAt: number | null = null;
  let failure = '';
  let closing: NodeJS.Timeout | null = null;

  const transmit = (frame: Frame): void => {
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
  };
  const requests = createRequests(transmit, limits.requestTimeoutMs);

  /**
   * Silence of one interval is answered with a question, an unanswered question of another is death. The question comes
   * first also when this process itself slept through both. Without a welcome there is nothing to ask yet.
   */
  const beat = (now: number): void => {
    const dead = greeted ? askedAt !== null && now - askedAt >= heartbeatMs : now - heardAt >= limits.handshakeMs;
    if (dead) socket.terminate();
    else if (askedAt === null && greeted && now - heardAt >= heartbeatMs) {
      askedAt = now;
      requests.ask({ type: 'ping' }).catch(() => {});
    }
  };

  const ticker = setInterval(() => {
    const now = Date.now();
    requests.expire(now);
    beat(now);
    if (greeted) events.tick(now);
  }, tickMs);

  const heard = (): void => {
    heardAt = Date.now();
    askedAt = null;
  };

  /** Not by way of a promise: what follows in the same packet must find the welcome handled. */
  const greet = (welcome: Welcome): void => {
    greeted = true;
    heartbeatMs = welcome.heartbeatMs;
    events.welcome(welcome);
  };

  socket.on('open', () => {
    heard();
    transmit(hello);
  });
  socket.on('ping', heard);
  socket.on('message', (data) => {
    heard();
    const frame = parseFrame(String(data));
    if (frame === null || requests.settle(frame)) return;
    if (frame.type === 'welcome') greet(frame as unknown as Welcome);
    else events.frame(frame);
  });
  socket.on('error', (error) => {
    failure = error.message;
  });
  socket.on('close', (code, reason) => {
    clearInterval(ticker);
    if (closing !== null) clearTimeout(closing);
    requests.abandon();
    events.ended(code, String(reason) || failure);
  });

  return {
    requests,
    transmit,
    close() {
      closing ??= setTimeout(() => socket.terminate(), limits.closeMs);
      socket.close(1000);
    },
    cut: () => socket.terminate(),
  };
}
