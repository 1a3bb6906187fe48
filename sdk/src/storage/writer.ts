import { fullJitter } from '../backoff.ts';
import type { OutboxEntry } from '../outbox/entry.ts';
import { pause, type Clock } from '../platform/clock.ts';
import type { Message } from '../wire.ts';
import { newRow } from './row.ts';
import {
  blankMeta,
  StorageFenced,
  type Batch,
  type ConversationRow,
  type IndexRow,
  type Meta,
  type Opened,
  type Storage,
  type Stretch,
} from './storage.ts';
import { createTable } from './table.ts';

/** What a change reads and writes. It sees what earlier changes of the same batch have written. */
export type Transaction = {
  readonly meta: Meta;
  setMeta(changed: Partial<Meta>): void;
  row(conversation: string): Promise<ConversationRow>;
  /** The row, if this transaction has set it. */
  known(conversation: string): ConversationRow | undefined;
  setRow(row: ConversationRow): void;
  message(conversation: string, seq: number): Promise<Message | undefined>;
  setMessage(message: Message): void;
  setEntry(entry: OutboxEntry): void;
  dropEntry(clientId: string): void;
  /** The stored messages of a stretch, at most 200. */
  messages(stretch: Stretch): Promise<Message[]>;
  /** These messages leave. */
  evict(stretch: Stretch): void;
  index(conversation: string, seq: number): Promise<IndexRow | undefined>;
  setIndex(row: IndexRow): void;
  dropIndex(stretch: Stretch): void;
};

export type Change = {
  run(transaction: Transaction): void | Promise<void>;
  /** Called once it is stored, in the order of the changes. */
  stored?(): void;
  /** About how many rows it writes. */
  rows?: number;
};

/**
 * The one way to the storage: changes are stored in the order in which they come, one batch at a time, and those that
 * come meanwhile join into the next.
 *
 * Must hold: a batch that could not be stored is kept and tried again; nothing behind it overtakes it. What a writer
 * has in hand when it is stopped carries the term of then, and is not tried again.
 */
export type Writer = {
  /** What is stored; blank until the storage is open. */
  readonly meta: Meta;
  readonly opened: Promise<Meta>;
  change(change: Change): void;
  /** Whether it is the last one that waits: more may still be put into it. */
  isLast(change: Change): boolean;
  /** A row as it is stored, or a new one. */
  row(conversation: string): Promise<ConversationRow>;
  /** The storage holds something else than before: its rows are read again. */
  forget(): void;
  /** Resolves when everything that was given so far is stored. */
  flushed(): Promise<void>;
  /** Another writer has the storage now: nothing is written, and what waits is dropped. */
  stop(): void;
  /** Writes from what the storage has now, under a term. */
  resume(opened: Opened): void;
  /** Another writer has stored this. */
  take(rows: ConversationRow[], meta: Meta): void;
};

/** Changes to be stored first, each in a transaction of its own, and one that joins those that failed. */
export type Repaired = { first?: Change[]; also?: Change };

export type WriterOptions = {
  storage: Storage;
  opened: Opened | Promise<Opened>;
  clock: Clock;
  random: () => number;
  fault(error: Error, where: string): void;
  /** Rows were stored in `ms`. */
  written?(rows: number, ms: number): void;
  /** What can be done about an error of the storage; null if nothing but to wait. */
  repair?(error: Error, tries: number): Promise<Repaired | null>;
  /** These conversations have changed, and these messages of them. Before `stored` of the changes. */
  changed?(rows: ConversationRow[], messages: Message[]): void;
  /** The storage refused a write: another writer has a newer term. */
  fenced?(): void;
};

/** The most rows in one transaction: longer ones hold up the page and the other tabs. */
export const batchRows = 200;
const retryRange = { minMs: 200, maxMs: 30_000 };
const keptRows = 500;
/** So often changes are tried again without a wait. */
const repairsMost = 5;

/** What never comes is known for one epoch. */
const inEpoch = (row: ConversationRow, epoch: string | null): ConversationRow =>
  row.epoch === epoch ? row : { ...row, absent: [], epoch };

/** Ends the work of a writer that was stopped. */
const stopped = new Error('the writer was stopped');
const unlessStopped = (error: unknown): void => {
  if (error !== stopped) throw error as Error;
};

export function createWriter(given: WriterOptions): Writer {
  const { storage, clock, random, fault, repair, written, changed, fenced } = given;
  let meta = blankMeta;
  let term = 0;
  let isStopped = false;
  /** Grows whenever what is in hand has become obsolete. */
  let turn = 0;
  const opened = Promise.resolve(given.opened).then(({ term: _, ...found }) => (meta = found));
  // Whoever waits for it is told.
  opened.catch(() => {});
  const waiting: Change[] = [];
  /** Rows as they are stored, the last used at the end. */
  const rows = new Map<string, ConversationRow>();
  let writing = Promise.resolve();
  let busy = false;

  const keep = (row: ConversationRow): void => {
    rows.delete(row.id);
    rows.set(row.id, row);
    if (rows.size > keptRows) rows.delete(rows.keys().next().value!);
  };

  const rowOf = async (conversation: string): Promise<ConversationRow> => {
    const row =
      rows.get(conversation) ?? (await storage.conversation(conversation)) ?? newRow(conversation, meta.epoch);
    keep(row);
    return row;
  };

  const collect = async (changes: Change[]): Promise<{ batch: Batch; stored: (() => void)[] }> => {
    let next = meta;
    const newRows = new Map<string, ConversationRow>();
    const messages = createTable<Message>();
    const index = createTable<IndexRow>();
    const dropIndex: Stretch[] = [];
    const put = new Map<string, OutboxEntry>();
    const drop = new Set<string>();
    const evict: Stretch[] = [];
    const transaction: Transaction = {
      get meta() {
        return next;
      },
      setMeta: (fields) => void (next = { ...next, ...fields }),
      async row(conversation) {
        return inEpoch(newRows.get(conversation) ?? (await rowOf(conversation)), next.epoch);
      },
      known(conversation) {
        const row = newRows.get(conversation);
        return row === undefined ? undefined : inEpoch(row, next.epoch);
      },
      setRow: (row) => void newRows.set(row.id, row),
      message: async (conversation, seq) =>
        messages.get(conversation, seq) ?? (await storage.read(conversation, seq, seq, 1))[0],
      setMessage: messages.set,
      setEntry(entry) {
        drop.delete(entry.clientId);
        put.set(entry.clientId, entry);
      },
      dropEntry(clientId) {
        put.delete(clientId);
        drop.add(clientId);
      },
      async messages({ conversation, fromSeq, toSeq }) {
        const found = await storage.read(conversation, fromSeq, toSeq, batchRows);
        return found.map((one) => messages.get(conversation, one.seq) ?? one);
      },
      evict(stretch) {
        evict.push(stretch);
        messages.drop(stretch);
      },
      index: async (conversation, seq) =>
        index.get(conversation, seq) ?? (await storage.index(conversation, seq, seq, 1))[0],
      setIndex: index.set,
      dropIndex(stretch) {
        dropIndex.push(stretch);
        index.drop(stretch);
      },
    };
    const stored: (() => void)[] = [];
    for (const change of changes) {
      await change.run(transaction);
      if (change.stored !== undefined) stored.push(change.stored);
    }
    const batch: Batch = {
      ...(term === 0 ? {} : { term }),
      ...(next === meta ? {} : { meta: next }),
      conversations: [...newRows.values()],
      messages: messages.all(),
      outbox: { put: [...put.values()], drop: [...drop] },
      evict,
      index: { put: index.all(), drop: dropIndex },
    };
    return { batch, stored };
  };

  const commit = async (mine: number, changes: Change[]): Promise<void> => {
    const { batch, stored } = await collect(changes);
    if (mine !== turn) throw stopped;
    const since = clock.now();
    await storage.write(batch);
    written?.(batch.conversations!.length + batch.messages!.length + batch.outbox!.put!.length, clock.now() - since);
    // Whoever has the storage now finds it there.
    if (mine !== turn) return;
    meta = { ...meta, ...batch.meta };
    for (const row of batch.conversations!) keep(row);
    for (const run of [() => changed?.(batch.conversations!, batch.messages!), ...stored]) {
      try {
        run();
      } catch (error) {
        fault(error as Error, 'listener');
      }
    }
  };

  /** Whether the same changes may be tried again at once. */
  const mend = async (mine: number, error: Error, tries: number, changes: Change[]): Promise<boolean> => {
    const repaired = await repair?.(error, tries);
    if (repaired === null || repaired === undefined) return false;
    if (repaired.also !== undefined) changes.unshift(repaired.also);
    for (const change of repaired.first ?? []) await commit(mine, [change]);
    return true;
  };

  const insist = async (mine: number, changes: Change[]): Promise<void> => {
    for (let tries = 0; mine === turn; tries++) {
      try {
        return await commit(mine, changes);
      } catch (error) {
        if (error === stopped) break;
        const mended = await mend(mine, error as Error, tries, changes).catch(() => true);
        if (mended && tries < repairsMost) continue;
        fault(error as Error, 'storage');
        if (error instanceof StorageFenced) fenced?.();
        if (mine === turn) await pause(clock, fullJitter(tries, retryRange, random));
      }
    }
    throw stopped;
  };

  const nextBatch = (): Change[] => {
    let count = 0;
    const end = waiting.findIndex((change, index) => (count += change.rows ?? 1) > batchRows && index > 0);
    return waiting.splice(0, end === -1 ? waiting.length : end);
  };

  /** `busy` falls in the turn in which nothing waits any more: a change of the next one must begin again. */
  const write = async (): Promise<void> => {
    busy = true;
    try {
      await opened;
      while (waiting.length > 0) await insist(turn, nextBatch()).catch(unlessStopped);
    } catch (error) {
      fault(error as Error, 'storage');
    } finally {
      busy = false;
    }
  };

  return {
    get meta() {
      return meta;
    },
    opened,
    change(change) {
      if (isStopped) return;
      waiting.push(change);
      if (!busy) writing = write();
    },
    isLast: (change) => waiting.at(-1) === change,
    row: rowOf,
    forget: () => rows.clear(),
    async flushed() {
      while (busy) await writing;
    },
    stop() {
      turn++;
      isStopped = true;
      waiting.length = 0;
    },
    resume({ term: raised, ...found }) {
      turn++;
      isStopped = false;
      term = raised;
      meta = found;
      rows.clear();
    },
    take(changedRows, found) {
      meta = found;
      for (const row of changedRows) keep(row);
    },
  };
}
