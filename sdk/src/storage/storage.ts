import type { Amendment } from '../intake/amended.ts';
import type { Ranges } from '../intake/ranges.ts';
import type { OutboxEntry } from '../outbox/entry.ts';
import type { Message, SeqRange } from '../wire.ts';

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
  /** Seqs whose messages have left the storage, and of which a line is kept. They are not present. */
  indexed: Ranges;
  /** About how many bytes its stored messages take. */
  bytes: number;
  /** Amendments whose target is not stored: it may be on its way with an old text. */
  amendments: readonly Amendment[];
};

/** What is kept of a message whose text has left the storage. */
export type IndexRow = Pick<Message, 'conversation' | 'seq' | 'id' | 'sender' | 'at' | 'kind' | 'class'> & {
  /** The beginning of its text. */
  summary: string;
};

/** Messages of a conversation, all of them. */
export type Stretch = SeqRange & { conversation: string };

/** Where this device is. */
export type Meta = {
  /** Null until a first welcome named it. */
  user: string | null;
  device: string;
  position: number;
  epoch: string | null;
};

/** `term` counts the writers that had the storage one after the other; 0 until one names its own. */
export type Opened = Meta & { term: number };

export const blankMeta: Meta = { user: null, device: '', position: 0, epoch: null };

/** One transaction: everything of it is stored, or nothing. */
export type Batch = {
  /**
   * The term of who writes, which is stored if it is newer. A batch of an older one is rejected with StorageFenced: its
   * writer was replaced, and what it still has in hand must not be stored. Without a term nothing is asked.
   */
  term?: number;
  meta?: Meta;
  conversations?: ConversationRow[];
  /** Messages, each in place of an older one of its seq. */
  messages?: Message[];
  outbox?: { put?: OutboxEntry[]; drop?: string[] };
  /** Messages to leave, before others are stored. Their seqs leave `present` by a row in `conversations`. */
  evict?: Stretch[];
  /** Rows of the index; those of `drop` leave before others are stored. */
  index?: { put?: IndexRow[]; drop?: Stretch[] };
};

/** A batch of an older term than the storage's: its writer was replaced. */
export class StorageFenced extends Error {
  override readonly name = 'StorageFenced';
  constructor(term: number, newer: number) {
    super(`a writer of term ${term} was replaced by one of term ${newer}`);
  }
}

/**
 * Where a client keeps what it has: a port with an adapter for each platform.
 *
 * Must hold: a batch is stored whole or not at all, also when the process ends in the middle; reads see everything
 * whose `write` has resolved; the position is in the same transaction as the messages that it covers.
 */
export type Storage = {
  /** Whether it outlives this process. */
  readonly persistent: boolean;
  /** All that are open under this name in other tabs of a browser are the same one. None: no other tab has it. */
  readonly name?: string | undefined;
  /** Null if it is empty. May be called again after a fault. */
  open(): Promise<Opened | null>;
  write(batch: Batch): Promise<void>;
  conversation(id: string): Promise<ConversationRow | null>;
  /** The `n` conversations with the newest messages. */
  list(n: number): Promise<ConversationRow[]>;
  /** Messages of these seqs, rising, at most `limit`; the newest of them with `newest`. */
  read(conversation: string, fromSeq: number, toSeq: number, limit: number, newest?: boolean): Promise<Message[]>;
  /** What is kept of messages that have left, rising, at most `limit`; the newest of them. */
  index(conversation: string, fromSeq: number, toSeq: number, limit: number): Promise<IndexRow[]>;
  /** In the order of sending. */
  outbox(): Promise<OutboxEntry[]>;
  /** Asks the platform not to remove it. Where it is missing, nothing does. */
  keep?(): Promise<void>;
  /** Forgets everything. */
  erase(): Promise<void>;
  close(): Promise<void>;
};
