import type { LinkState, TokenRequest } from '../link/api.ts';
import type { SendHandle, SendOptions } from '../outbox/api.ts';
import type { Clock } from '../platform/clock.ts';
import type { Environment } from '../platform/environment.ts';
import type { WebSocketConstructor } from '../platform/web-socket.ts';
import type { Prefetch, PrefetchReport } from '../prefetch/api.ts';
import type { Quality } from '../quality/estimate.ts';
import type { Storage } from '../storage/storage.ts';
import type { Tabs } from '../tabs/api.ts';
import type { View } from '../view/message-view.ts';
import type { Store } from '../view/store.ts';
import type { ConversationKind, Frame, Level, Message, Welcome } from '../wire.ts';
import type { ClientEvent, Counter } from './observer.ts';
import type { Search, SearchOptions, SearchPage } from './search.ts';
import type { ServerEvents } from './server-events.ts';

export type ClientOptions = {
  /** `wss://…`, or a function that picks one for each attempt (0, 1, 2, …). HTTP goes to the same place. */
  url: string | ((attempt: number) => string);
  getToken(request: TokenRequest): string | Promise<string>;
  /** Default: made once, and kept by the storage. */
  device?: string;
  /** Default: memory. */
  storage?: Storage;
  /** One socket and one writer for the tabs of a browser. Default: each client has its own. */
  tabs?: Tabs;
  /** Fetches what is likely to be opened next. Default: nothing is fetched before somebody looks. */
  prefetch?: Prefetch;
  /** `lazy`: only live messages come unasked, and history is read when somebody looks. Default `all`. */
  sync?: 'all' | 'lazy';
  cache?: {
    /** The newest messages in memory of each conversation that was looked at lately. Default 50. */
    memory?: number;
    /** Messages that are stored of one conversation, and twice as many of one that is open or unread. Default 1000. */
    perConversation?: number;
    /** Messages that are stored of all conversations. Default 20,000. */
    total?: number;
    /** Messages of which a line is kept after their text has left. Default 100,000. */
    index?: number;
    /** About how many bytes all stored messages take. Default 50 million. */
    bytes?: number;
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
  /** Told of everything that happens inside, for logs and traces. */
  onEvent?(event: ClientEvent): void;
};

/** Numbers for support, without texts, users and tokens. */
export type Report = Omit<Status, 'reason' | 'retryAt'> & {
  version: string;
  /** By the clock of this device. */
  at: number;
  /** The round trip to the server, and characters a second; null while they are not known. */
  rttMs: number | null;
  rate: number | null;
  features: readonly string[];
  counters: Record<string, Counter>;
  /** With `prefetch`: what became of what was fetched, by this client. */
  prefetch?: PrefetchReport;
};

export type Status = {
  state: LinkState;
  reason?: string;
  code?: number;
  retryAt?: number;
  /** The backlog was read to its end on this connection. */
  synced: boolean;
  /** What the network allows, by what was measured. `offline`: there is none, or no connection for half a minute. */
  quality: Quality;
  /**
   * `memory`: it lives as long as this page. `full`: what comes is in memory until there is room. `lost`: it was
   * emptied, or belongs to a newer version of this page.
   */
  storage: 'persistent' | 'memory' | 'full' | 'lost';
  /** This client has the socket; among `tabs` only one has. */
  leader: boolean;
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

export type ClientEvents = ServerEvents & {
  state: Status;
  failed: { clientId: string; conversation: string; code: string; message: string };
  storage: Status['storage'];
  quality: Quality;
  fault: { error: Error; where: string };
};

/** What every conversation can do. */
export type BaseConversation = {
  readonly id: string;
  readonly info: Store<ConversationInfo>;
  /** Somebody looks at it, until the returned object is closed: its newest messages are read and kept up to date. */
  open(): Disposable & { close(): void };
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
};

/** Part `views`. */
export type ViewedConversation = {
  readonly messages: Store<View>;
  /** Loads older messages, from the storage or from history. */
  older(n?: number): Promise<void>;
  /** Loads messages around a seq, or a hole at its place. */
  around(seq: number, n?: number): Promise<void>;
};

/** Part `direct`. */
export type DirectClient<Chat> = {
  /** The conversation with one other user. It needs no creation. Throws before the user is known. */
  direct(user: string): Chat;
};

/** Part `groups`. */
export type GroupConversation = {
  members(): Promise<{ user: string; joinedSeq: number }[]>;
  add(user: string): Promise<void>;
  remove(user: string): Promise<void>;
  leave(): Promise<void>;
  rename(name: string): Promise<void>;
};
export type GroupClient<Chat> = {
  createGroup(group: { id?: string; name?: string; members: string[] }): Promise<Chat>;
};

/** Part `search`. */
export type SearchedConversation = {
  /** Its messages by their words, where the server serves that. */
  search(q: string, options?: SearchOptions): Promise<SearchPage>;
};
export type SearchClient = {
  /** Messages of all conversations by their words, where the server serves that. */
  search: Search;
};

/** Part `stream`. */
export type StreamedConversation = {
  /** Its messages, rising, each once, without holes: from behind `after`, by default from now on. */
  stream(options?: { after?: number; signal?: AbortSignal }): AsyncGenerator<Message, void, undefined>;
};

/** Part `listing`. */
export type ListingClient = {
  /**
   * Reads the newest conversations and their names from the server, also those without messages here. Once: rejects
   * without a network.
   */
  refreshList(): Promise<void>;
};

/** Part `report`. */
export type ReportClient = {
  /** What has happened so far, in numbers. */
  report(): Report;
};

/** What every client can do. `Chat` is a conversation with what the parts of the client add. */
export type BaseClient<Chat = BaseConversation> = AsyncDisposable & {
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
  conversation(id: string): Chat;
  /** The handle of a message that is not accepted yet, for example after a reload. */
  sent(clientId: string): SendHandle | undefined;
  /** Any other frame, once. */
  request(frame: Frame): Promise<Frame>;
  http(method: string, path: string, body?: unknown): Promise<unknown>;
  on<Type extends keyof ClientEvents>(type: Type, listener: (event: ClientEvents[Type]) => void): () => void;
};

/** A conversation of a client with all parts. */
export type Conversation = BaseConversation &
  ViewedConversation &
  GroupConversation &
  SearchedConversation &
  StreamedConversation;

/** A client with all parts. */
export type Client = BaseClient<Conversation> &
  DirectClient<Conversation> &
  GroupClient<Conversation> &
  SearchClient &
  ListingClient &
  ReportClient;
