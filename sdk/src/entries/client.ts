/** The entry `restante-client`: a client of one user on one device. */
export { createClient } from '../client/client.ts';
export type {
  Client,
  ClientEvents,
  ClientOptions,
  Conversation,
  ConversationInfo,
  Report,
  Status,
} from '../client/api.ts';
export type { ClientEvent, Counter } from '../client/observer.ts';
export type { SearchOptions, SearchPage } from '../client/search.ts';
export type { LinkState, TokenRequest } from '../link/api.ts';
export { Cancelled, OutboxFull, type SendHandle, type SendOptions, type SendStatus } from '../outbox/api.ts';
export type { OutboxState, Priority } from '../outbox/entry.ts';
export type { Clock } from '../platform/clock.ts';
export type { Environment, EnvironmentChange } from '../platform/environment.ts';
export type { WebSocketConstructor, WebSocketLike } from '../platform/web-socket.ts';
export type { Quality } from '../quality/estimate.ts';
export { Refusal, type ErrorCode } from '../refusal.ts';
export { ConnectionLost } from '../requests.ts';
export { memory } from '../storage/memory.ts';
export type { Batch, ConversationRow, IndexRow, Meta, Opened, Storage, Stretch } from '../storage/storage.ts';
export { StorageFenced } from '../storage/storage.ts';
export type { Hole, PendingMessage, ShownMessage, View, ViewItem } from '../view/message-view.ts';
export type { Store } from '../view/store.ts';
export type { Accepted, Frame, Level, Message, MessageClass, SeqRange, Welcome } from '../wire.ts';
