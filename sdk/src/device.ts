import { setTimeout as pause } from 'node:timers/promises';
import { Refusal } from '../../shared/model/errors.ts';
import type { Gap } from '../../shared/model/model.ts';
import { closeCodes } from '../../shared/protocol/close-codes.ts';
import type { Device, DeviceOptions, DeviceState, StateDetail } from './api.ts';
import { fullJitter } from './backoff.ts';
import { newClientId } from './client-id.ts';
import { isFinal, openConnection, type Connection } from './connection.ts';
import { missingOf, readMissing } from './gap-reading.ts';
import { createInboxReading } from './inbox-reading.ts';
import { createOutbox } from './outbox.ts';
import { ConnectionLost } from './requests.ts';
import { createTracker } from './tracker.ts';
import type { Accepted, Frame, HistoryPage, HistoryRequest, Item, Welcome } from './wire.ts';

const defaults = {
  reconnect: { minMs: 500, maxMs: 20_000 },
  receivedDelayMs: 75,
  requestTimeoutMs: 30_000,
  handshakeMs: 10_000,
};
/** A connection that lasted so long was a good one: the next wait starts small again. */
const stableMs = 5000;
const closeMs = 2000;
const reauthMs = 30_000;
const maxRefusals = 3;

/**
 * One device of a user: a complete client of the protocol, without a view.
 *
 *   idle ──online()──▶ connecting ──welcome──▶ connected
 *     ▲                  ▲     └──── ended ───────┤
 *     └───offline()──────┤                        ▼
 *                        └──── after a wait ── waiting
 *
 * Any state goes to `closed` by close(), by a close code that forbids coming back, or when no token is good enough.
 * Messages, position and what is to be sent outlive connections. Every change of state goes through `enter`.
 *
 * Starts connecting at once. `url` is `ws://host:port`, or a function that picks one for each attempt.
 */
export function connect(
  url: string | (() => string),
  getToken: () => string | Promise<string>,
  deviceId: string,
  options: DeviceOptions = {},
): Device {
  const { mode = 'push', events = {}, random = Math.random } = options;
  const reconnect = options.reconnect ?? defaults.reconnect;
  const limits = {
    handshakeMs: options.handshakeMs ?? defaults.handshakeMs,
    requestTimeoutMs: options.requestTimeoutMs ?? defaults.requestTimeoutMs,
    closeMs,
  };
  let state: DeviceState = 'idle';
  let wanted = true;
  let connection: Connection | null = null;
  /** False while the server drains: open requests end, new ones wait for the next connection. */
  let usable = false;
  let welcome: Welcome | undefined;
  let connectedAt = 0;
  let expiresAt = 0;
  let failures = 0;
  let refusals = 0;
  let token = '';
  let refusedToken = '';
  let drainMs: number | null = null;
  let wake: NodeJS.Timeout | null = null;
  let receivedTimer: NodeJS.Timeout | null = null;
  const waitingForUse: { resolve(connection: Connection): void; reject(reason: Error): void }[] = [];
  const waitingForEnd: (() => void)[] = [];

  const tracker = createTracker({
    mode,
    ...(options.position === undefined ? {} : { position: options.position }),
    ...(options.epoch === undefined ? {} : { epoch: options.epoch }),
    violation: (violation) => events.violation?.(violation),
  });

  const outbox = createOutbox({
    transmit: async (send) => {
      if (connection === null || !usable) throw new ConnectionLost();
      return (await connection.requests.ask(send)) as unknown as Accepted;
    },
    accepted(send, accepted, again) {
      tracker.own(accepted.message);
      events.accepted?.(send, accepted, again);
    },
    random,
  });

  const enter = (next: DeviceState, detail: StateDetail = {}): void => {
    state = next;
    if (next === 'idle' || next === 'closed') {
      const gone = new Error(detail.reason ? `device is ${next}: ${detail.reason}` : `device is ${next}`);
      for (const one of waitingForUse.splice(0)) one.reject(gone);
      if (next === 'closed') outbox.discard(gone);
    }
    events.state?.(next, detail);
  };

  const confirm = (): void => {
    if (receivedTimer !== null) clearTimeout(receivedTimer);
    receivedTimer = null;
    const { position, due } = tracker.confirmable;
    if (connection === null || !due) return;
    connection.transmit({ type: 'received', position });
    tracker.confirmed(position, Date.now());
    if (tracker.epoch !== undefined) events.position?.(tracker.position, tracker.epoch);
  };
  const confirmSoon = (): void => {
    receivedTimer ??= setTimeout(confirm, options.receivedDelayMs ?? defaults.receivedDelayMs);
  };

  const take = (item: Item, live: boolean): void => {
    const fresh = tracker.item(item, live, Date.now());
    events.item?.(item, fresh);
  };
  const takeGap = (gap: Gap, live: boolean): void => {
    tracker.gap(gap, live);
    events.gap?.(gap);
  };

  const drain = async (from: Connection, afterMs: number): Promise<void> => {
    drainMs = afterMs;
    usable = false;
    outbox.pause();
    await from.requests.idle();
    if (connection !== from) return;
    confirm();
    from.close();
  };

  const onFrame = (frame: Frame): void => {
    if (frame.type === 'deliver') {
      for (const item of frame['items'] as Item[]) take(item, true);
      confirmSoon();
    } else if (frame.type === 'gap') {
      takeGap(frame as unknown as Gap, true);
      confirmSoon();
    } else if (frame.type === 'drain' && connection !== null) {
      void drain(connection, Number(frame['reconnectAfterMs'] ?? 0));
    } else {
      events.frame?.(frame);
    }
  };

  const onWelcome = (greeting: Welcome, asked: number | undefined): void => {
    if (connection === null) return;
    tracker.welcomed(greeting, asked);
    if (greeting.reset === true && greeting.lostSince !== undefined) outbox.repeatSince(greeting.lostSince);
    welcome = greeting;
    expiresAt = greeting.expiresAt;
    connectedAt = Date.now();
    refusals = 0;
    usable = true;
    events.welcome?.(greeting);
    enter('connected');
    events.position?.(tracker.position, greeting.epoch);
    for (const one of waitingForUse.splice(0)) one.resolve(connection);
    outbox.open();
  };

  /** A token that is about to run out is replaced while the connection lasts. */
  const renew = async (on: Connection): Promise<void> => {
    const before = expiresAt;
    expiresAt = Number.POSITIVE_INFINITY;
    const next = await getToken();
    if (next === token) return;
    const answer = await on.requests.ask({ type: 'reauth', token: next });
    token = next;
    expiresAt = Math.max(before, Number(answer['expiresAt']));
  };

  const onTick = (now: number): void => {
    // What fails here ends in 4401, which brings another token.
    if (connection !== null && usable && expiresAt - now < reauthMs) renew(connection).catch(() => {});
  };

  const onEnded = (code: number, reason: string): void => {
    connection = null;
    usable = false;
    outbox.pause();
    if (receivedTimer !== null) clearTimeout(receivedTimer);
    receivedTimer = null;
    failures = connectedAt > 0 && Date.now() - connectedAt >= stableMs ? 0 : failures + 1;
    connectedAt = 0;
    const afterDrain = drainMs;
    drainMs = null;
    for (const resolve of waitingForEnd.splice(0)) resolve();
    if (state === 'closed') return;
    if (!wanted) return enter('idle', { code, reason });
    if (isFinal(code)) return enter('closed', { code, reason });
    if (code === closeCodes.unauthenticated) {
      refusedToken = token;
      if (++refusals >= maxRefusals) return enter('closed', { code, reason });
    }
    wait(afterDrain ?? fullJitter(Math.max(0, failures - 1), reconnect, random), { code, reason });
  };

  const wait = (waitMs: number, detail: StateDetail): void => {
    enter('waiting', { ...detail, waitMs });
    wake = setTimeout(() => void attempt(), waitMs);
  };

  const attempt = async (): Promise<void> => {
    wake = null;
    enter('connecting');
    try {
      token = await getToken();
    } catch (error) {
      if (state !== 'connecting') return;
      return wait(fullJitter(failures++, reconnect, random), { reason: `no token: ${(error as Error).message}` });
    }
    if (state !== 'connecting' || connection !== null) return;
    if (!wanted) return enter('idle');
    if (token === refusedToken) return enter('closed', { code: closeCodes.unauthenticated, reason: 'token refused' });
    const asked = tracker.epoch === undefined && options.position === undefined ? undefined : tracker.position;
    const hello = { type: 'hello', token, device: deviceId, mode, position: asked, epoch: tracker.epoch };
    connection = openConnection(typeof url === 'string' ? url : url(), hello, limits, {
      welcome: (greeting) => onWelcome(greeting, asked),
      frame: onFrame,
      tick: onTick,
      ended: onEnded,
    });
  };

  const ready = (): Promise<Connection> => {
    if (connection !== null && usable) return Promise.resolve(connection);
    if (state === 'idle' || state === 'closed') return Promise.reject(new Error(`device is ${state}`));
    return new Promise((resolve, reject) => waitingForUse.push({ resolve, reject }));
  };

  /** For requests that may be repeated without harm. The frame is made when it can go out: a welcome may change it. */
  const insist = async (frame: () => Frame): Promise<Frame> => {
    for (let tries = 0; ; tries++) {
      try {
        const on = await ready();
        return await on.requests.ask(frame());
      } catch (error) {
        if (error instanceof ConnectionLost) continue;
        if (!(error instanceof Refusal) || !error.retryable) throw error;
        await pause((error.retryAfterMs ?? 0) + fullJitter(tries, { minMs: 50, maxMs: 5000 }, random));
      }
    }
  };

  const sync = createInboxReading({
    tracker,
    insist,
    take: (item) => take(item, false),
    takeGap: (gap) => takeGap(gap, false),
    violation: (violation) => events.violation?.(violation),
    reconnect() {
      const stale = connection;
      usable = false;
      outbox.pause();
      stale?.close();
    },
    done: confirm,
  });

  const readHistory = async (request: HistoryRequest): Promise<HistoryPage> =>
    (await insist(() => ({ ...request, type: 'history' }))) as unknown as HistoryPage;

  const goOffline = (cut: boolean): Promise<void> => {
    wanted = false;
    if (wake !== null) clearTimeout(wake);
    wake = null;
    if (connection === null) {
      if (state !== 'idle' && state !== 'closed') enter('idle');
      return Promise.resolve();
    }
    const ended = new Promise<void>((resolve) => waitingForEnd.push(resolve));
    if (cut) connection.cut();
    else {
      confirm();
      connection.close();
    }
    return ended;
  };

  void attempt();

  return {
    get state() {
      return state;
    },
    get position() {
      return tracker.position;
    },
    get epoch() {
      return tracker.epoch;
    },
    get welcome() {
      return welcome;
    },
    get unsent() {
      return outbox.size();
    },
    send: (draft) => outbox.add({ ...draft, type: 'send', clientId: draft.clientId ?? newClientId() }),
    async history(request) {
      const page = await readHistory(request);
      for (const message of page.messages) tracker.fetched(message);
      return page;
    },
    missing: ({ conversation, ...range }) => [...missingOf(range, (seq) => tracker.has(conversation, seq))],
    fill: ({ conversation, ...range }, hand) =>
      readMissing(range, {
        has: (seq) => tracker.has(conversation, seq),
        read: ({ fromSeq, toSeq }) => readHistory({ conversation, after: fromSeq - 1, limit: toSeq - fromSeq + 1 }),
        take: (message) => void (tracker.fetched(message) && hand(message)),
      }),
    sync,
    read: async (where, seq) =>
      (await insist(() => ({ ...where, type: 'read', seq }))) as unknown as { conversation: string; seq: number },
    request: async (frame) => (await ready()).requests.ask(frame),
    online() {
      wanted = true;
      if (state === 'idle') void attempt();
    },
    offline: (how = {}) => goOffline(how.cut === true),
    async close() {
      await goOffline(false);
      if (state !== 'closed') enter('closed');
    },
  };
}
