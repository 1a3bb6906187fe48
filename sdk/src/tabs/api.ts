import type { Acts } from '../client/acts.ts';
import type { ServerEvents } from '../client/server-events.ts';
import type { LinkStatus } from '../link/api.ts';
import type { OutboxEntry } from '../outbox/entry.ts';
import type { Outbox } from '../outbox/outbox.ts';
import type { Clock } from '../platform/clock.ts';
import type { Environment } from '../platform/environment.ts';
import type { Quality } from '../quality/estimate.ts';
import type { ConversationRow, Meta, Opened, Storage } from '../storage/storage.ts';
import type { Writer } from '../storage/writer.ts';
import type { Message, Welcome } from '../wire.ts';

/** The one connection of all tabs. */
export type Connection = {
  status: LinkStatus;
  synced: boolean;
  quality: Quality;
  features: readonly string[];
  limits?: Welcome['limits'] | undefined;
  /** How far the server's clock is ahead of this device's. */
  aheadMs: number;
};

/** An event that is the same in all tabs. */
export type SharedEvent = {
  [Type in keyof ServerEvents]: [type: Type, event: ServerEvents[Type]];
}[keyof ServerEvents];

/** What the leader tells the other tabs. All of it can be copied. */
export type News =
  /** This was stored. */
  | { rows: ConversationRow[]; messages: Message[]; meta: Meta }
  | { connection: Connection }
  /** An entry of the outbox is now like this, or was taken back. */
  | { entry: OutboxEntry }
  | { cancelled: string }
  | { event: SharedEvent };

/** A client, as its tabs see it. */
export type Member = {
  storage: Storage;
  clock: Clock;
  random: () => number;
  environment: Environment;
  /** What a leader does, for itself and for others. */
  acts: Acts;
  writer: Pick<Writer, 'meta' | 'take' | 'flushed'>;
  outbox: Pick<Outbox, 'load' | 'settle' | 'forget'>;
  row(id: string): ConversationRow | undefined;
  /** The conversations that are in memory with their messages. */
  shown(): string[];
  /** Rows and messages that another tab has stored. */
  show(rows: ConversationRow[], messages: Message[]): void;
  emit(...event: SharedEvent): void;
  /** The connection of this tab, while it leads. */
  connection(): Connection;
  /** The connection of another tab has changed. */
  connectionChanged(before: Connection, after: Connection): void;
  /** From now on this tab writes and has the socket. */
  lead(opened: Opened): void;
  /** From now on another tab does. */
  follow(): void;
  /** A conversation was opened in another tab. */
  opened(id: string): void;
  /** Another tab has signed out. */
  signedOut(): void;
  fault(error: Error, where: string): void;
};

export type Membership = {
  /** Null while this tab leads; otherwise what is known of the connection of the tab that does. */
  readonly elsewhere: Connection | null;
  /** Done by whoever leads. */
  readonly acts: Acts;
  /** To the other tabs, if this one leads. */
  tell(news: News): void;
  /** Stores what this tab sends while another leads. */
  store(entry: OutboxEntry): Promise<void>;
  /** These conversations are looked at in this tab. */
  look(ids: string[]): void;
  /** Another tab looks at it. */
  isLookedAt(id: string): boolean;
  join(): void;
  /** Leaves once everything is stored. */
  leave(): Promise<void>;
  /** The server has given the device's place to another socket. False if this tab must stay closed. */
  replaced(): boolean;
  /** The storage belongs to a newer leader. */
  fenced(): void;
  /** Leaves for good. `signedOut`: the others leave too. */
  close(how?: { signedOut: boolean }): Promise<void>;
};

/** The tabs of a browser that share one storage. */
export type Tabs = (member: Member) => Membership;
