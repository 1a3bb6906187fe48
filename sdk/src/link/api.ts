import type { BackoffRange } from '../backoff.ts';
import type { Clock } from '../platform/clock.ts';
import type { Environment } from '../platform/environment.ts';
import type { WebSocketConstructor } from '../platform/web-socket.ts';
import type { RequestEnd } from '../requests.ts';
import type { Frame, Welcome } from '../wire.ts';

/**
 * `idle`: not wanted. `connecting`: from the question for a token to the welcome. `connected`. `waiting`: for the next
 * try, or for the network. `closed`: for good, until `connect` is called again.
 */
export type LinkState = 'idle' | 'connecting' | 'connected' | 'waiting' | 'closed';

export type LinkStatus = {
  state: LinkState;
  /** Why the last connection ended or the next one waits. */
  reason?: string;
  /** The close code of the last connection. */
  code?: number;
  /** When the next try begins, by the clock of this device. */
  retryAt?: number;
};

export type TokenRequest = {
  /** `expiring`: the connection lasts, and goes on with the new token. `refused`: the last one was not valid. */
  reason: 'first' | 'expiring' | 'refused';
  /** Aborted when the token is not waited for any more. */
  signal: AbortSignal;
};

export type Direction = 'in' | 'out';

export type LinkEvents = {
  status?(status: LinkStatus): void;
  /** Before any frame behind it. A returned text is a reason to close for good. */
  welcome?(welcome: Welcome): string | void;
  /** Requests may go out from now on: after the welcome, and when a kept socket was found alive. */
  open?(): void;
  /** No requests from now on. */
  pause?(): void;
  /** Every frame that answers no request. */
  frame?(frame: Frame): void;
  /** A request has ended, those of the link itself included. */
  request?(request: RequestEnd): void;
  /** A frame that went out or came in. `length` is that of its text in characters. */
  traffic?(direction: Direction, frame: Frame, length: number): void;
  /** What should not happen and harms nothing: a broken frame, a listener that throws. */
  fault?(error: Error, where: string): void;
};

export type LinkLimits = {
  /** The range of the wait before a reconnect. Default 0.5 to 20 s. */
  reconnect: BackoffRange;
  /** Default 30 s. */
  requestTimeoutMs: number;
  /** From the opening of the socket to the welcome. Default 10 s. */
  handshakeMs: number;
};

export type LinkOptions = {
  /** `ws://host:port` or `wss://…`, or a function that picks one for each attempt (0, 1, 2, …). */
  url: string | ((attempt: number) => string);
  getToken(request: TokenRequest): string | Promise<string>;
  device: string;
  /** More fields of `hello`, read at each attempt: mode, position, epoch. */
  hello?(): Record<string, unknown>;
  /** A function is asked each time. */
  limits?: Partial<LinkLimits> | (() => Partial<LinkLimits>);
  events?: LinkEvents;
  webSocket?: WebSocketConstructor;
  clock?: Clock;
  environment?: Environment;
  random?: () => number;
};

export type Link = {
  readonly status: LinkStatus;
  readonly welcome: Welcome | undefined;
  /** Whether requests go out now. */
  readonly usable: boolean;
  /**
   * The server's time, as the last welcome or pong named it. It lags behind by the way here, so it is never ahead.
   * The time of this device where the server does not say its own.
   */
  now(): number;
  connect(): void;
  /** Stays `idle` until `connect`. `cut` drops the socket as a lost network does. */
  disconnect(how?: { cut?: boolean }): void;
  /** For good. What waits for a connection is rejected. */
  close(): void;
  /** A request, once: rejects with a Refusal, with ConnectionLost, or at once when there is no connection. */
  ask(frame: Frame): Promise<Frame>;
  /**
   * A request that may be repeated without harm, over lost connections and retryable refusals. The frame is made when
   * it goes out. Rejects with a final Refusal, or when the link is idle or closed.
   */
  insist(frame: () => Frame): Promise<Frame>;
  /** A frame without an answer. False if there is no connection. */
  tell(frame: Frame): boolean;
  /** Leaves this connection in good order and makes a new one: its welcome tells what has changed. */
  renew(): void;
};
