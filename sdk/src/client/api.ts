import type { LinkState, TokenRequest } from '../link/api.ts';
import type { SendHandle, SendOptions } from '../outbox/api.ts';
import type { Clock } from '../platform/clock.ts';
import type { Environment } from '../platform/environment.ts';
import type { WebSocketConstructor } from '../platform/web-socket.ts';
import type { Storage } from '../storage/storage.ts';
import type { View } from '../view/message-view.ts';
import type { Store } from '../view/store.ts';
import type { Accepted, ConversationKind, Frame, Level, Message, SeqRange, Welcome } from '../wire.ts';

export type ClientOptions = {
  /** `wss://…`, or a function that picks one for each attempt (0, 1, 2, …). HTTP goes to the same place. */
  url: string | ((attempt: number) => string);
  getToken(request: TokenRequest): string | Promise<string>;
  /** Default: made once, and kept by the storage. */
  device?: string;
  /** Default: memory. */
  storage?: Storage;
  /** `lazy`: only live messages come unasked, and history is read when somebody looks. Default `all`. */
  sync?: 'all' | 'lazy';
  cache?: {
    /** Messages that are kept of one conversation, and twice as many of one that is open or unread. Default 1000. */
    perConversation?: number;
    /** Default 20,000. */
    total?: number;
  };
  outbox?: {
    /** How many accepted messages are kept in case the server loses them. Default 1000. */
    keepAccepted?: number;
  };
  webSocket?: WebSocketConstructor;
  fetch?: typeof globalThis.fetch;
  clock?: Clock;
  environment?: Environment;
  random?: () => number;
};

export type Status = {
  state: LinkState;
  reason?: string;
  code?: number;
  retryAt?: number;
  /** The backlog was read to its end on this connection. */
  synced: boolean;
  storage: 'persistent' | 'memory' | 'lost';
  /** Messages that are not accepted yet. */
  waiting: number;
};

export type ConversationInfo = {
  id: string;
  kind: ConversationKind;
  name: string | null;
  peer?: string;
  unread: number;
  readSeq: number;
  lastSeq: number;
  last: Message | null;
};

export type ClientEvents = {
  state: Status;
  welcome: Welcome;
  /** `live`: messages that rise by seq in their conversation. `first`: it was not here before. */
  message: { message: Message; live: boolean; first: boolean };
  accepted: { clientId: string; message: Accepted['message'] };
  failed: { clientId: string; conversation: string; code: string; message: string };
  /** A message with its new text. */
  amended: { message: Message };
  /** Somebody of this user has read up to `seq`, here or on another device. */
  read: { conversation: string; seq: number };
  /** Frames of the features of these names, as they came. */
  receipt: Frame;
  typing: Frame;
  presence: Frame;
  /** Messages that are not here and are read when somebody looks. */
  gap: SeqRange & { conversation: string };
  /** The server lost or restored its state. What was accepted after `lostSince` is sent again. */
  reset: { lostSince?: number };
  storage: Status['storage'];
  fault: { error: Error; where: string };
};

export type Conversation = {
  readonly id: string;
  readonly info: Store<ConversationInfo>;
  readonly messages: Store<View>;
  /** Somebody looks at it, until the returned object is closed: its newest messages are read and kept up to date. */
  open(): Disposable & { close(): void };
  /** Loads older messages, from the storage or from history. */
  older(n?: number): Promise<void>;
  /** Loads messages around a seq, or a hole at its place. */
  around(seq: number, n?: number): Promise<void>;
  /** Throws OutboxFull, or a Refusal if the body is too large. */
  send(body: unknown, options?: SendOptions): SendHandle;
  /** Changes or recalls a message; kept and repeated like a message. */
  amend(
    seq: number,
    change: { action: 'recall' } | { action: 'edit'; body: unknown },
    options?: { level?: Level },
  ): SendHandle;
  /** Moves the read seq forward, by default to the end. */
  read(seq?: number): Promise<void>;
  typing(): void;
  members(): Promise<{ user: string; joinedSeq: number }[]>;
  add(user: string): Promise<void>;
  remove(user: string): Promise<void>;
  leave(): Promise<void>;
  rename(name: string): Promise<void>;
  /** Its messages, rising, each once, without holes: from behind `after`, by default from now on. */
  stream(options?: { after?: number; signal?: AbortSignal }): AsyncGenerator<Message, void, undefined>;
};

export type Client = AsyncDisposable & {
  readonly status: Store<Status>;
  /** The newest first. */
  readonly conversations: Store<readonly ConversationInfo[]>;
  readonly user: string | null;
  readonly device: string;
  readonly features: readonly string[];
  readonly limits: Welcome['limits'] | undefined;
  /** The server's time, as well as it is known. */
  now(): number;
  /** Resolves when the user is known: from the storage, or from the first welcome. */
  connect(): Promise<void>;
  /** Stays `idle`. What is not accepted waits. */
  disconnect(): void;
  /** For good. Resolves when everything is stored. */
  close(): Promise<void>;
  /** Closes, removes the device from the server if that can be reached, and forgets everything here. */
  signOut(): Promise<void>;
  /** The same object for the same conversation. */
  conversation(id: string): Conversation;
  /** The conversation with one other user. It needs no creation. Throws before the user is known. */
  direct(user: string): Conversation;
  createGroup(group: { id?: string; name?: string; members: string[] }): Promise<Conversation>;
  /** The handle of a message that is not accepted yet, for example after a reload. */
  sent(clientId: string): SendHandle | undefined;
  /** Any other frame, once. */
  request(frame: Frame): Promise<Frame>;
  http(method: string, path: string, body?: unknown): Promise<unknown>;
  on<Type extends keyof ClientEvents>(type: Type, listener: (event: ClientEvents[Type]) => void): () => void;
};
