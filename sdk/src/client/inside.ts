import type { Intake } from '../intake/intake.ts';
import type { Reads } from '../intake/reads.ts';
import type { DirectId } from '../intake/take.ts';
import type { Link } from '../link/api.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Clock } from '../platform/clock.ts';
import type { Environment } from '../platform/environment.ts';
import type { Prefetching } from '../prefetch/api.ts';
import type { Check } from '../quality/check.ts';
import type { Meter } from '../quality/meter.ts';
import type { Cache } from '../storage/cache.ts';
import type { Guarded } from '../storage/guarded.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Writer } from '../storage/writer.ts';
import type { Connection, Membership } from '../tabs/api.ts';
import type { OwnConversation } from '../view/own-conversation.ts';
import type { Store } from '../view/store.ts';
import type { Frame, Message, Target } from '../wire.ts';
import type { Acts } from './acts.ts';
import type { ClientEvents, ClientOptions, Status } from './api.ts';
import type { BacklogMode } from './backlog-mode.ts';
import type { Emitter } from './events.ts';
import type { Http } from './http.ts';
import type { List } from './list.ts';
import type { Observer } from './observer.ts';
import type { ServerEvents } from './server-events.ts';
import type { StorageState } from './storage-state.ts';
import type { Waiting } from './waiting.ts';

/** The conversations that somebody has asked for. */
export type Conversations = {
  /** The same object for the same conversation. */
  of(id: string, peer?: string): OwnConversation;
  find(id: string): OwnConversation | undefined;
  all(): OwnConversation[];
  /** Rows and messages that were stored. */
  show(rows: ConversationRow[], messages: Message[]): void;
  /** How a request names it: direct ones by their user, which works before their first message. */
  target(id: string): Target;
  /** Somebody looks at it, in this tab or in another. */
  isOpen(id: string): boolean;
};

/** The connection of this tab, or of the one that leads. */
export type SharedConnection = {
  readonly current: Connection;
  readonly own: Connection;
  /** Another tab has the socket. */
  readonly follows: boolean;
  has(feature: string): boolean;
  /** The server's time. */
  now(): number;
  /** The connection of this tab has changed. */
  changed(): void;
  changedElsewhere(before: Connection, after: Connection): void;
  /** The backlog was read to its end, or is yet to be read. */
  setSynced(synced: boolean): void;
};

/**
 * The inside of a client: its pieces, each of which may use the others. Pieces are made one after the other, so a piece
 * uses those that are made later only when something happens.
 */
export type Inside = {
  readonly options: ClientOptions;
  readonly clock: Clock;
  readonly random: () => number;
  readonly environment: Environment;
  /** Delivery of live messages without a backlog. */
  readonly isLazy: boolean;
  fault(error: Error, where: string): void;
  readonly on: Emitter<ClientEvents>['on'];
  /** To the listeners of this tab. */
  readonly emit: Emitter<ClientEvents>['emit'];
  /** An event that is the same in all tabs. */
  emitToAll<Type extends keyof ServerEvents>(type: Type, event: ServerEvents[Type]): void;
  /** The network has become better or worse. */
  qualityChanged(quality: Meter['quality']): void;
  isClosed: boolean;

  // A part may put its own in the place of these, before the pieces below are made.
  observe: Observer['observe'];
  meter: Meter;
  backlog: BacklogMode;
  cache: Cache;
  direct?: DirectId;

  storage: Guarded;
  storageState: StorageState;
  writer: Writer;
  /** What an earlier run has stored is here. */
  loaded: Promise<void>;
  list: List;
  conversations: Conversations;
  status: Store<Status>;
  /** The status has to be made again. */
  changedStatus(): void;
  waiting: Waiting;
  connection: SharedConnection;
  link: Link;
  check: Check;
  /** A request that is repeated until it is answered, over any number of connections. */
  insist(frame: () => Frame): Promise<Frame>;
  intake: Intake;
  reads: Reads;
  takeFrame(frame: Frame): void;
  outbox: Outbox;
  prefetching: Prefetching | undefined;
  tabs: Membership | undefined;
  acts: Acts;
  http: Http;
};
