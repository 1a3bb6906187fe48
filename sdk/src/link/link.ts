import { fullJitter } from '../backoff.ts';
import { closeCodes, isFinal } from '../close-codes.ts';
import { systemClock } from '../platform/clock.ts';
import { pageEnvironment } from '../platform/environment.ts';
import { platformWebSocket } from '../platform/web-socket.ts';
import type { Frame, Welcome } from '../wire.ts';
import type { Link, LinkLimits, LinkOptions, LinkStatus, TokenRequest } from './api.ts';
import { createGate } from './gate.ts';
import { createLateHello } from './late-hello.ts';
import { atOnceMs, defaultLimits, drainMs, hiddenMs, longestDrainMs, renewBeforeMs, stableMs } from './limits.ts';
import { lostCode, openSocket, type Socket } from './socket.ts';
import { createTokens } from './token.ts';

/**
 * The connection of one device, over any number of sockets, without messages and storage.
 *
 *   idle ──connect()──▶ connecting ──welcome──▶ connected
 *     ▲                   ▲     └──── ended ────────┤  ▲
 *     └──disconnect()─────┤                         ▼  │ the kept socket is alive
 *                         └──── after a wait ──── waiting
 *
 * Any state goes to `closed` by close(), by a close code that forbids reconnecting, when a token was refused and
 * `getToken` has no other, or by a reason of the welcome's listener. connect() revives a closed link. A connection that
 * may have been replaced by an earlier hello of this link is no such case (late-hello.ts).
 *
 * A page that goes offline keeps its socket, because most networks come back with their connections. It is probed then,
 * and replaced at once if it does not answer.
 */
export function createLink(options: LinkOptions): Link {
  const { events = {}, clock = systemClock, random = Math.random } = options;
  const environment = options.environment ?? pageEnvironment();
  const limits = (): LinkLimits => ({
    ...defaultLimits,
    ...(typeof options.limits === 'function' ? options.limits() : options.limits),
  });
  const askForToken = createTokens(options.getToken, clock);
  const gate = createGate({ clock, random });
  const lateHello = createLateHello(clock);

  let status: LinkStatus = { state: 'idle' };
  let socket: Socket | null = null;
  let welcome: Welcome | undefined;
  let connectedAt = 0;
  let attempts = 0;
  let waitingSince: number | null = null;
  let atOnceAt = Number.NEGATIVE_INFINITY;
  let aheadMs = 0;
  let token = '';
  let refusedToken = '';
  let renewAt = Number.POSITIVE_INFINITY;
  let drainedMs: number | null = null;
  let suspended = false;
  let probing = false;
  let cancelWait = (): void => {};
  /** Grows whenever an attempt that is under way has become obsolete. */
  let turn = 0;
  let unwatch: (() => void) | null = null;

  const fault = (error: Error, where: string): void => events.fault?.(error, where);
  const now = (): number => clock.now() + aheadMs;

  const setTime = (serverNow: unknown): void => {
    if (typeof serverNow === 'number' && Number.isFinite(serverNow)) aheadMs = serverNow - clock.now();
  };

  const enter = (next: LinkStatus): void => {
    status = next;
    if (next.state === 'idle' || next.state === 'closed') {
      gate.close(new Error(`the client is ${next.state}${next.reason ? `: ${next.reason}` : ''}`));
      unwatch?.();
      unwatch = null;
    } else gate.admit();
    if (next.state === 'connected') waitingSince = null;
    events.status?.(next);
  };

  const stop = (): void => {
    gate.pause();
    events.pause?.();
  };

  const start = (on: Socket): void => {
    gate.open(on);
    events.open?.();
  };

  const leave = (next: LinkStatus, how: { cut?: boolean } = {}): void => {
    turn++;
    cancelWait();
    const left = socket;
    socket = null;
    suspended = false;
    if (left?.awaitsWelcome) lateHello.gaveUp();
    if (left !== null) stop();
    enter(next);
    if (how.cut) left?.drop(1006, 'cut');
    else left?.close();
  };

  const waitFor = (ms: number, detail: Omit<LinkStatus, 'state' | 'retryAt'>): void => {
    cancelWait();
    waitingSince ??= clock.now();
    if (!environment.online()) return enter({ state: 'waiting', ...detail, reason: 'offline' });
    const hidden = !environment.visible() && clock.now() - waitingSince > hiddenMs;
    const waitMs = hidden ? Math.max(ms, hiddenMs) : ms;
    enter({ state: 'waiting', ...detail, retryAt: clock.now() + waitMs });
    cancelWait = clock.after(waitMs, () => void attempt('first'));
  };

  const backoff = (): number => fullJitter(attempts++, limits().reconnect, random);

  const ended = (on: Socket, code: number, reason: string): void => {
    if (socket !== on) return;
    socket = null;
    suspended = false;
    stop();
    if (connectedAt > 0 && clock.now() - connectedAt >= stableMs) attempts = 0;
    connectedAt = 0;
    const drained = drainedMs;
    drainedMs = null;
    const detail = { code, reason };
    if (code === lostCode && on.awaitsWelcome) lateHello.gaveUp();
    const isLateHello = code === closeCodes.replaced && lateHello.explains();
    if (isFinal(code) && !isLateHello) return leave({ state: 'closed', ...detail });
    if (code === closeCodes.unauthenticated) refusedToken = token;
    if (probing) return atOnce(detail);
    waitFor(drained ?? backoff(), detail);
  };

  const greeted = (on: Socket, greeting: Welcome): void => {
    if (socket !== on) return;
    setTime(greeting.now);
    welcome = greeting;
    connectedAt = clock.now();
    refusedToken = '';
    planRenewal(greeting.expiresAt);
    const refused = events.welcome?.(greeting);
    if (typeof refused === 'string') return leave({ state: 'closed', reason: refused });
    if (socket !== on) return;
    enter({ state: 'connected' });
    start(on);
  };

  /** An end that lies in the past by this clock says that the clocks differ: then 4401 asks for the next token. */
  const planRenewal = (expiresAt: number): void => {
    renewAt = expiresAt > now() ? expiresAt - renewBeforeMs : Number.POSITIVE_INFINITY;
  };

  /** The old token stays in force until the server has taken the new one. */
  const renewToken = async (on: Socket): Promise<void> => {
    const before = renewAt;
    renewAt = Number.POSITIVE_INFINITY;
    try {
      const next = await askForToken('expiring');
      if (socket !== on || next === token) return;
      const answer = await on.requests.ask({ type: 'reauth', token: next });
      token = next;
      planRenewal(Number(answer['expiresAt']));
    } catch (error) {
      fault(error as Error, 'getToken');
      if (socket === on) renewAt = Math.max(before, now() + stableMs);
    }
  };

  const drain = async (on: Socket, afterMs: unknown): Promise<void> => {
    drainedMs = typeof afterMs === 'number' && afterMs >= 0 ? Math.min(afterMs, longestDrainMs) : null;
    stop();
    const cancel = clock.after(drainMs, () => on.close());
    await on.requests.idle();
    cancel();
    if (socket === on) on.close();
  };

  const attempt = async (first: TokenRequest['reason']): Promise<void> => {
    const mine = ++turn;
    cancelWait();
    enter({ state: 'connecting' });
    let next: string;
    try {
      next = await askForToken(refusedToken === '' ? first : 'refused');
    } catch (error) {
      if (mine === turn) waitFor(backoff(), { reason: `no token: ${(error as Error).message}` });
      return;
    }
    if (mine !== turn) return;
    if (next === refusedToken) {
      return leave({ state: 'closed', code: closeCodes.unauthenticated, reason: 'token refused' });
    }
    token = next;
    try {
      open(typeof options.url === 'string' ? options.url : options.url(attempts));
    } catch (error) {
      // A broken address, or no WebSocket here: another try may find another address.
      fault(error as Error, 'connect');
      waitFor(backoff(), { reason: (error as Error).message });
    }
  };

  const open = (url: string): void => {
    const made: Socket = openSocket({
      url: url.replace(/^http/, 'ws').replace(/\/$/, ''),
      hello: { type: 'hello', token, device: options.device, ...options.hello?.() },
      webSocket: options.webSocket ?? platformWebSocket(),
      clock,
      limits,
      events: {
        welcome: (greeting) => greeted(made, greeting),
        frame(frame) {
          if (socket !== made) return;
          if (frame.type === 'drain') void drain(made, frame['reconnectAfterMs']);
          else events.frame?.(frame);
        },
        tick: () => void (gate.usable === made && now() >= renewAt && void renewToken(made)),
        slept: wake,
        request(request) {
          if (request.type === 'ping') setTime(request.answer?.['now']);
          events.request?.(request);
        },
        traffic: (direction, frame, length) => events.traffic?.(direction, frame, length),
        fault,
        ended: (code, reason) => ended(made, code, reason),
      },
    });
    socket = made;
  };

  /** The path was away or this process asleep: a socket that was kept is asked, a wait ends. */
  const wake = (): void => {
    if (socket === null) {
      if (status.state === 'waiting') atOnce({});
      return;
    }
    if (status.state === 'connecting') return;
    const on = socket;
    probing = true;
    on.probe(() => {
      probing = false;
      if (socket !== on || !suspended) return;
      suspended = false;
      enter({ state: 'connected' });
      start(on);
    });
  };

  const atOnce = (detail: Omit<LinkStatus, 'state' | 'retryAt'>): void => {
    probing = false;
    const sinceLast = clock.now() - atOnceAt;
    if (sinceLast < atOnceMs) return waitFor(atOnceMs - sinceLast, detail);
    atOnceAt = clock.now();
    waitFor(0, detail);
  };

  const goOffline = (): void => {
    if (status.state !== 'connected' || socket === null) {
      if (status.state === 'waiting') waitFor(0, {});
      return;
    }
    suspended = true;
    socket.suspend();
    stop();
    waitFor(0, {});
  };

  const watch = (): void => {
    unwatch ??= environment.watch((change) => {
      if (change === 'offline') goOffline();
      else if (change !== 'hidden' && environment.online()) wake();
    });
  };

  return {
    get status() {
      return status;
    },
    get welcome() {
      return welcome;
    },
    get usable() {
      return gate.usable !== null;
    },
    now,
    connect() {
      if (status.state !== 'idle' && status.state !== 'closed') return;
      refusedToken = '';
      attempts = 0;
      watch();
      void attempt('first');
    },
    disconnect(how) {
      if (status.state !== 'idle' && status.state !== 'closed') leave({ state: 'idle' }, how);
    },
    close: () => leave({ state: 'closed', reason: 'closed by the application' }),
    ask: (frame: Frame) => gate.ask(frame),
    insist: (frame) => gate.insist(frame),
    tell: (frame) => gate.usable !== null && gate.usable.transmit(frame),
    renew() {
      if (gate.usable === null) return;
      const on = gate.usable;
      drainedMs = 0;
      stop();
      on.close();
    },
  };
}
