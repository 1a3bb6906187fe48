import type { Clock } from '../platform/clock.ts';
import { openState, type WebSocketConstructor } from '../platform/web-socket.ts';
import { createRequests, type RequestEnd, type Requests } from '../requests.ts';
import { parseFrame, type Frame, type Welcome } from '../wire.ts';
import type { Direction, LinkLimits } from './api.ts';
import { closeMs, lateMs, probeMs } from './limits.ts';
import { readWelcome } from './read-welcome.ts';
import { everySecond } from './ticker.ts';

/**
 * One socket from its opening to its end: hello, frames in and out, and the clock that notices a dead one. It never
 * reconnects. `ended` is called exactly once.
 *
 * Must hold: nothing waits for the socket's own `close` event. On a dead path that comes after a minute or more, so a
 * socket is taken for gone by this clock, and whatever it does afterwards is ignored.
 */
export type Socket = {
  readonly requests: Requests;
  /** Whether hello was said and has no answer. */
  readonly awaitsWelcome: boolean;
  transmit(frame: Frame): boolean;
  /** Ends in good order: the closing handshake, with a bound. */
  close(): void;
  /** Ends at once, as a lost network does. */
  drop(code: number, reason: string): void;
  /** Stops the clock: silence means nothing while the network is known to be away. */
  suspend(): void;
  /** Asks whether the path is alive. Without an answer in time the socket is gone; with one, `alive` is called. */
  probe(alive: () => void): void;
};

export type SocketEvents = {
  welcome(welcome: Welcome): void;
  frame(frame: Frame): void;
  /** About once a second after the welcome. */
  tick(now: number): void;
  /** The clock jumped by more than two heartbeats: this process slept, or the path may be gone. */
  slept(): void;
  /** A request of this socket has ended. */
  request(request: RequestEnd): void;
  traffic(direction: Direction, frame: Frame, length: number): void;
  fault(error: Error, where: string): void;
  ended(code: number, reason: string): void;
};

export type SocketOptions = {
  url: string;
  hello: Frame;
  webSocket: WebSocketConstructor;
  clock: Clock;
  limits(): LinkLimits;
  events: SocketEvents;
};

/** The code of an end without a close frame, as browsers report it. */
export const lostCode = 1006;

export function openSocket({ url, hello, clock, limits, events, ...options }: SocketOptions): Socket {
  const socket = new options.webSocket(`${url}/v1/ws`, ['restante.v1']);
  let gone = false;
  let saidHello = false;
  let greeted = false;
  let failure = '';
  let heardAt = clock.now();
  let heartbeatMs = 0;
  let askedAt: number | null = null;
  let rttMs = 0;
  let stopClock = (): void => {};
  let stopProbe: (() => void) | null = null;
  let stopClosing: (() => void) | null = null;

  const end = (code: number, reason: string): void => {
    if (gone) return;
    gone = true;
    stopClock();
    stopProbe?.();
    stopClosing?.();
    try {
      socket.close();
    } catch {
      // A socket that never opened may refuse to be closed; it is forgotten all the same.
    }
    requests.abandon();
    events.ended(code, reason);
  };

  const transmit = (frame: Frame): boolean => {
    if (gone || socket.readyState !== openState) return false;
    const text = JSON.stringify(frame);
    socket.send(text);
    events.traffic('out', frame, text.length);
    return true;
  };
  const requests = createRequests(
    transmit,
    () => clock.now(),
    (request) => {
      if (request.type === 'ping' && request.outcome === 'ok') rttMs = request.ms;
      events.request(request);
    },
  );

  const ping = (): Promise<Frame> => requests.ask({ type: 'ping' });

  /** Silence of one interval is answered with a question; an unanswered question of another is death. */
  const beat = (now: number): void => {
    if (!greeted) {
      if (now - heardAt >= limits().handshakeMs) end(lostCode, 'no welcome in time');
    } else if (askedAt !== null && now - askedAt >= heartbeatMs) end(lostCode, 'no answer to a ping');
    else if (askedAt === null && now - heardAt >= heartbeatMs) {
      askedAt = now;
      ping().catch(() => {});
    }
  };

  const tick = (now: number, lateByMs: number): void => {
    // Overdue timers run before data that waits in the socket: that is read first.
    if (Math.abs(lateByMs) > lateMs) {
      if (lateByMs < 0) heardAt = now;
      if (greeted && Math.abs(lateByMs) > 2 * heartbeatMs) events.slept();
      return;
    }
    requests.expire(now, limits().requestTimeoutMs);
    beat(now);
    if (greeted && !gone) events.tick(now);
  };

  const startClock = (): void => {
    stopClock();
    stopClock = everySecond(clock, tick);
  };

  const take = (text: string): void => {
    heardAt = clock.now();
    askedAt = null;
    const frame = parseFrame(text);
    if (frame === null) return events.fault(new Error('a text that is no frame'), 'frame');
    events.traffic('in', frame, text.length);
    if (frame.type === 'welcome') {
      if (greeted) return events.fault(new Error('a second welcome'), 'frame');
      const welcome = readWelcome(frame);
      if (welcome === null) return end(4400, 'a welcome without user or epoch');
      greeted = true;
      heartbeatMs = welcome.heartbeatMs;
      events.welcome(welcome);
    } else if (!requests.settle(frame, text.length)) events.frame(frame);
  };

  socket.addEventListener('open', () => {
    heardAt = clock.now();
    saidHello = transmit(hello);
  });
  socket.addEventListener('message', ({ data }) => {
    if (gone) return;
    try {
      take(String(data));
    } catch (error) {
      events.fault(error as Error, 'frame');
    }
  });
  // The `close` event that follows says that it ended. Outside of browsers, only this one says why.
  socket.addEventListener('error', ({ message }) => (failure = String(message ?? '')));
  socket.addEventListener('close', ({ code, reason }) => end(code ?? lostCode, String(reason || failure)));
  startClock();

  return {
    requests,
    get awaitsWelcome() {
      return saidHello && !greeted;
    },
    transmit,
    close() {
      stopClosing ??= clock.after(closeMs, () => end(1000, 'closed'));
      socket.close(1000);
    },
    drop: end,
    suspend() {
      stopClock();
      stopProbe?.();
      stopProbe = null;
    },
    probe(alive) {
      if (gone || stopProbe !== null) return;
      stopProbe = clock.after(Math.max(probeMs, 4 * rttMs), () => end(lostCode, 'no answer to a probe'));
      ping().then(
        () => {
          if (gone || stopProbe === null) return;
          stopProbe();
          stopProbe = null;
          startClock();
          alive();
        },
        () => {},
      );
    },
  };
}
