/** The entry `restante-client/link`: a connection without messages and storage. */
export type { BackoffRange } from '../backoff.ts';
export { createLink } from '../link/link.ts';
export type { Link, LinkEvents, LinkLimits, LinkOptions, LinkState, LinkStatus, TokenRequest } from '../link/api.ts';
export type { Clock } from '../platform/clock.ts';
export type { Environment, EnvironmentChange } from '../platform/environment.ts';
export type { WebSocketConstructor, WebSocketLike } from '../platform/web-socket.ts';
export { Refusal, type ErrorCode } from '../refusal.ts';
export { ConnectionLost } from '../requests.ts';
export type { Frame, Gap, HistoryPage, InboxPage, Item, Message, SeqRange, Welcome } from '../wire.ts';
