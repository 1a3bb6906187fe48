import type { Device, DeviceOptions, DeviceState, StateDetail } from './api.ts';
import { fullJitter } from './backoff.ts';
import { newClientId } from './client-id.ts';
import { closeCodes, isFinal } from './close-codes.ts';
import { openConnection, type Connection } from './connection.ts';
import { closeMs, defaults, maxRefusals, reauthMs, stableMs } from './device-limits.ts';
import { missingOf, readMissing } from './gap-reading.ts';
import { createInboxReading } from './inbox-reading.ts';
import { createOutbox } from './outbox.ts';
import { createRequestGate } from './request-gate.ts';
import { ConnectionLost } from './requests.ts';
import { createTracker } from './tracker.ts';
import type { Accepted, Frame, Gap, HistoryPage, HistoryRequest, Item, Welcome } from './wire.ts';

/**
 * One device of a user: a complete client of the protocol, without a view.
 *
 *   idle ──online()──▶ connecting ──welcome──▶ connected
 *     ▲                  ▲     └──── ended ───────┤
 *     └───offline()──────┤                        ▼
 *                        └──── after a wait ── waiting
 *
 * Any state goes to `closed` by close(), by a close code that forbids reconnecting, or when the server refuses every
 * token. Messages, position and unsent messages outlive connections. Every change of state goes through `enter`.
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
  const waitingForEnd: (() => void)[] = [];

  const gate = createRequestGate(random);
  const tracker = createTracker({
    mode,
    ...(options.position === undefined ? {} : { position: options.position }),
    ...(options.epoch === undefined ? {} : { epoch: options.epoch }),
    violation: (violation) => events.violation?.(violation),
  });

  const outbox = createOutbox({
    transmit: async (send) => {
      if (gate.usable === null) throw new ConnectionLost();
      return (await gate.usable.requests.ask(send)) as unknown as Accepted;
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
      gate.close(gone);
      if (next === 'closed') outbox.discard(gone);
    } else gate.admit();
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
    gate.pause();
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
    gate.open(connection);
    events.welcome?.(greeting);
    enter('connected');
    events.position?.(tracker.position, greeting.epoch);
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
    if (gate.usable !== null && expiresAt - now < reauthMs) renew(gate.usable).catch(() => {});
  };

  const onEnded = (code: number, reason: string): void => {
    connection = null;
    gate.pause();
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

  const sync = createInboxReading({
    tracker,
    insist: gate.insist,
    take: (item) => take(item, false),
    takeGap: (gap) => takeGap(gap, false),
    violation: (violation) => events.violation?.(violation),
    reconnect() {
      const stale = connection;
      gate.pause();
      outbox.pause();
      stale?.close();
    },
    done: confirm,
  });

  const readHistory = async (request: HistoryRequest): Promise<HistoryPage> =>
    (await gate.insist(() => ({ ...request, type: 'history' }))) as unknown as HistoryPage;

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
      (await gate.insist(() => ({ ...where, type: 'read', seq }))) as unknown as { conversation: string; seq: number },
    request: async (frame) => (await gate.ready()).requests.ask(frame),
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
