import type { Amendment } from '../intake/amended.ts';
import type { Ranges } from '../intake/ranges.ts';
import type { OutboxEntry } from '../outbox/entry.ts';
import type { Message } from '../wire.ts';

/** What is known of a conversation. Messages are rows of their own. */
export type ConversationRow = {
  id: string;
  /** The other user of a direct conversation. */
  peer?: string;
  name?: string | null;
  /** The server's numbers, and what was counted on since. */
  unread: number;
  /** `unread` is the server's number for the messages up to here. */
  countedSeq: number;
  readSeq: number;
  lastSeq: number;
  /** The newest message that is shown, and when it was sent. */
  last: Message | null;
  at: number;
  /** Seqs whose messages are stored. */
  present: Ranges;
  /** Seqs that never come. They are known for one epoch. */
  absent: Ranges;
  epoch: string | null;
  /** Seqs that the server announced as a gap, and that are not here yet. */
  gaps: Ranges;
  /** Stored, but an amendment of them may lie in a hole above that was not read. */
  stale: Ranges;
  /** Amendments whose target is not stored: it may be on its way with an old text. */
  amendments: readonly Amendment[];
};

export type Opened = {
  /** Null until a first welcome named it. */
  user: string | null;
  device: string;
  position: number;
  epoch: string | null;
};

/** One transaction: everything of it is stored, or nothing. */
export type Batch = {
  meta?: Partial<Opened>;
  conversations?: ConversationRow[];
  /** Messages, each in place of an older one of its seq. */
  messages?: Message[];
  outbox?: { put?: OutboxEntry[]; drop?: string[] };
  /** Messages to leave. Their seqs leave `present` by a row in `conversations`. */
  evict?: { conversation: string; fromSeq: number; toSeq: number }[];
};

/**
 * Where a client keeps what it has: a port with an adapter for each platform.
 *
 * Must hold: a batch is stored whole or not at all, also when the process ends in the middle; reads see everything
 * whose `write` has resolved; the position is in the same transaction as the messages that it covers.
 */
export type Storage = {
  /** Whether it outlives this process. */
  readonly persistent: boolean;
  /** Null if it is empty. May be called again after a fault. */
  open(): Promise<Opened | null>;
  write(batch: Batch): Promise<void>;
  conversation(id: string): Promise<ConversationRow | null>;
  /** The `n` conversations with the newest messages. */
  list(n: number): Promise<ConversationRow[]>;
  /** Messages of these seqs, rising, at most `limit`; the newest of them with `newest`. */
  read(conversation: string, fromSeq: number, toSeq: number, limit: number, newest?: boolean): Promise<Message[]>;
  /** In the order of sending. */
  outbox(): Promise<OutboxEntry[]>;
  /** Forgets everything. */
  erase(): Promise<void>;
  close(): Promise<void>;
};
