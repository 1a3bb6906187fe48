import { fullJitter } from '../../../../sdk/src/backoff.ts';
import type { Random } from '../../irc/random.ts';
import type { Recording } from '../recording.ts';
import { createCoverage, type Coverage } from './coverage.ts';
import { createGapReader } from './gap-reader.ts';
import { type Frame, openSocket, type RecordedSocket } from './socket.ts';

/**
 * One device of the traffic: connects, says where it stands, confirms what it gets, reads gaps from history, and comes
 * back after every end. It keeps its rules of the protocol and judges nothing.
 *
 *   away ──comeBack()──▶ connecting ──welcome──▶ connected ──ended──▶ waiting
 *                             ▲                                         │
 *                             └────────────────after a wait─────────────┘
 *
 * Any state goes to `away` by leave(), and to `closed` for good by close().
 */
export type Mode = 'push' | 'pull' | 'lazy';

export type Welcome = { epoch: string; position: number; head: number; reset?: boolean; lostSince?: number };

export type Device = {
  readonly user: string;
  readonly name: string;
  readonly mode: Mode;
  readonly isConnected: boolean;
  readonly coverage: Coverage;
  /** Null if there is no connection, or no answer came. */
  ask(frame: object): Promise<Frame | null>;
  /** Reads the inbox from the device's position to its end; false if it could not be read to the end. */
  sync(): Promise<boolean>;
  /** Ends the connection; `cut` without any handshake. Comes back after `awayMs`; null: when `comeBack` is called. */
  leave(how: 'close' | 'cut', awayMs: number | null): void;
  comeBack(): void;
  /** A slow reader reads as fast as the others from here on. */
  hurry(): void;
  /** Gaps that are still to be read. */
  readonly unreadGaps: number;
  close(): void;
};

export type DeviceParts = {
  user: string;
  name: string;
  mode: Mode;
  /** Reads no faster than this (bytes a second). */
  slowBytesPerSecond?: number;
  urls(): readonly string[];
  token(user: string): string | Promise<string>;
  recording: Pick<Recording, 'note'>;
  random: Random;
  welcome(welcome: Welcome): void;
};

const reconnect = { minMs: 30, maxMs: 1500 };
/** Much shorter than `heartbeatMs`, since a run lasts for seconds. */
const silenceMs = 8000;
const pingMs = 1000;
const answerWithinMs = 10_000;
const stableMs = 3000;
const helloWithinMs = 8000;

export function createDevice(parts: DeviceParts): Device {
  const { user, name, mode, random, recording } = parts;
  const coverage = createCoverage();
  let socket: RecordedSocket | null = null;
  let connected = false;
  let connections = 0;
  let failures = 0;
  let position = 0;
  let epoch: string | undefined;
  /** The highest position that came on this connection, and the highest that was confirmed on it. */
  let reached = 0;
  let confirmed = 0;
  let connectedAt = 0;
  let heardAt = 0;
  let state: 'here' | 'away' | 'closed' = 'away';
  let slow = parts.slowBytesPerSecond ?? null;
  let confirming: NodeJS.Timeout | null = null;
  let returning: NodeJS.Timeout | null = null;

  const ask = async (frame: object): Promise<Frame | null> =>
    connected && socket !== null ? socket.ask(frame, answerWithinMs) : null;
  const gaps = createGapReader(coverage, ask, () => connected);

  const confirm = (): void => {
    confirming = null;
    if (!connected || reached <= confirmed) return;
    confirmed = reached;
    socket?.send({ type: 'received', position: reached });
  };
  const confirmSoon = (): void => {
    if (mode !== 'pull') confirming ??= setTimeout(confirm, random.between(10, 90));
  };

  const take = (at: number | undefined, live: boolean): void => {
    if (at === undefined) return;
    reached = Math.max(reached, at);
    if (!live || mode !== 'lazy') position = Math.max(position, at);
  };

  /** `live`: pushed. What a lazy device is pushed does not move its position. */
  const takeItems = (items: { position?: number; message: { conversation: string; seq: number } }[], live: boolean) => {
    for (const { position: at, message } of items) {
      coverage.add(message.conversation, message.seq, message.seq);
      take(at, live);
    }
  };
  const takeGap = (gap: { position: number; conversation: string; fromSeq: number; toSeq: number }, live: boolean) => {
    coverage.announce(gap.conversation, gap.toSeq);
    gaps.add(gap);
    take(gap.position, live);
  };

  const greet = (welcome: Welcome): void => {
    connected = true;
    connectedAt = performance.now();
    if (welcome.reset === true) {
      position = 0;
      coverage.restart();
    }
    epoch = welcome.epoch;
    // The server may remember less than this device has. What comes again is confirmed again: the server waits for it.
    reached = mode === 'lazy' ? 0 : Math.min(position, welcome.position);
    confirmed = reached;
    parts.welcome(welcome);
    gaps.continue();
  };

  const onFrame = (frame: Frame): void => {
    heardAt = performance.now();
    if (frame.type === 'welcome') greet(frame as unknown as Welcome);
    else if (frame.type === 'deliver') {
      takeItems(frame['items'] as Parameters<typeof takeItems>[0], true);
      confirmSoon();
    } else if (frame.type === 'gap') {
      takeGap(frame as unknown as Parameters<typeof takeGap>[0], true);
      confirmSoon();
    } else if (frame.type === 'drain') {
      confirm();
      socket?.close();
    }
  };

  function hello(token: string): void {
    // Sometimes a device relies on the position that the server remembers. Who names no epoch is told of no loss.
    const relies = random.chance(0.1);
    const place = epoch === undefined ? {} : relies ? { epoch } : { position, epoch };
    socket?.send({ type: 'hello', id: 'h', token, device: name, mode, ...place });
  }

  async function connect(): Promise<void> {
    if (state !== 'here' || socket !== null) return;
    const token = await parts.token(user);
    if (state !== 'here' || socket !== null) return;
    const opening = openSocket({
      url: random.pick(parts.urls()),
      client: { user, device: name, connection: ++connections },
      recording,
      onOpen() {
        opening.throttle(slow);
        heardAt = performance.now();
        hello(token);
      },
      onFrame: (frame) => void (socket === opening && onFrame(frame)),
      onEnd() {
        if (socket !== opening) return;
        socket = null;
        failures = connected && performance.now() - connectedAt > stableMs ? 0 : failures + 1;
        connected = false;
        if (state === 'here') returnIn(fullJitter(Math.min(failures, 8), reconnect));
      },
    });
    socket = opening;
    heardAt = performance.now();
  }

  function returnIn(ms: number): void {
    if (returning !== null) clearTimeout(returning);
    returning = setTimeout(() => {
      returning = null;
      if (state === 'closed') return;
      state = 'here';
      void connect();
    }, ms);
  }

  /** Nobody may wait for a connection that is dead without a word. */
  const beat = setInterval(() => {
    if (socket === null) return;
    const silent = performance.now() - heardAt;
    if (silent > (connected ? silenceMs : helloWithinMs)) socket.cut();
    else if (connected) void socket.ask({ type: 'ping' }, answerWithinMs);
  }, pingMs);

  return {
    user,
    name,
    mode,
    coverage,
    get isConnected() {
      return connected;
    },
    get unreadGaps() {
      return gaps.size;
    },
    ask,
    async sync() {
      for (;;) {
        const answer = await ask({
          type: 'sync',
          after: position,
          limit: 200,
          ...(epoch === undefined ? {} : { epoch }),
        });
        if (answer?.type !== 'page') return false;
        const {
          items,
          gaps: announced,
          next,
          more,
        } = answer as unknown as {
          items: Parameters<typeof takeItems>[0];
          gaps: Parameters<typeof takeGap>[0][];
          next: number;
          more: boolean;
        };
        takeItems(items, false);
        for (const gap of announced) takeGap(gap, false);
        take(next, false);
        if (!more) return true;
      }
    },
    leave(how, awayMs) {
      if (state === 'closed') return;
      state = 'away';
      if (how === 'cut') socket?.cut();
      else {
        confirm();
        socket?.close();
      }
      if (awayMs !== null) returnIn(awayMs);
    },
    comeBack() {
      if (state === 'closed') return;
      state = 'here';
      if (socket === null && returning === null) void connect();
    },
    hurry() {
      slow = null;
      socket?.throttle(null);
    },
    close() {
      state = 'closed';
      clearInterval(beat);
      if (returning !== null) clearTimeout(returning);
      if (confirming !== null) clearTimeout(confirming);
      socket?.close();
    },
  };
}
