import { fullJitter } from '../backoff.ts';
import type { OutboxEntry } from '../outbox/entry.ts';
import { pause, type Clock } from '../platform/clock.ts';
import type { Message } from '../wire.ts';
import { newRow } from './row.ts';
import type { Batch, ConversationRow, Opened, Storage } from './storage.ts';

/** What a change reads and writes. It sees what earlier changes of the same batch have written. */
export type Transaction = {
  readonly meta: Opened;
  setMeta(changed: Partial<Opened>): void;
  row(conversation: string): Promise<ConversationRow>;
  setRow(row: ConversationRow): void;
  message(conversation: string, seq: number): Promise<Message | undefined>;
  setMessage(message: Message): void;
  setEntry(entry: OutboxEntry): void;
  dropEntry(clientId: string): void;
  evict(range: NonNullable<Batch['evict']>[number]): void;
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
 * Must hold: a batch that could not be stored is kept and tried again; nothing behind it overtakes it.
 */
export type Writer = {
  /** What is stored; blank until the storage is open. */
  readonly meta: Opened;
  readonly opened: Promise<Opened>;
  change(change: Change): void;
  /** A row as it is stored, or a new one. */
  row(conversation: string): Promise<ConversationRow>;
  /** Resolves when everything that was given so far is stored. */
  flushed(): Promise<void>;
};

export type WriterOptions = {
  storage: Storage;
  opened: Opened | Promise<Opened>;
  clock: Clock;
  random: () => number;
  fault(error: Error, where: string): void;
  /** These conversations have changed, and these messages of them. Before `stored` of the changes. */
  changed?(rows: ConversationRow[], messages: Message[]): void;
};

/** The most rows in one transaction: longer ones hold up the page and the other tabs. */
const batchRows = 200;
const retryRange = { minMs: 200, maxMs: 30_000 };
const keptRows = 500;

const keyOf = (conversation: string, seq: number): string => `${conversation} ${seq}`;

export function createWriter({ storage, clock, random, fault, changed, ...options }: WriterOptions): Writer {
  let meta: Opened = { user: null, device: '', position: 0, epoch: null };
  const opened = Promise.resolve(options.opened).then((found) => (meta = found));
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
    const messages = new Map<string, Message>();
    const put = new Map<string, OutboxEntry>();
    const drop = new Set<string>();
    const evict: NonNullable<Batch['evict']> = [];
    const transaction: Transaction = {
      get meta() {
        return next;
      },
      setMeta: (fields) => void (next = { ...next, ...fields }),
      async row(conversation) {
        const row = newRows.get(conversation) ?? (await rowOf(conversation));
        // What never comes is known for one epoch.
        return row.epoch === next.epoch ? row : { ...row, absent: [], epoch: next.epoch };
      },
      setRow: (row) => void newRows.set(row.id, row),
      message: async (conversation, seq) =>
        messages.get(keyOf(conversation, seq)) ?? (await storage.read(conversation, seq, seq, 1))[0],
      setMessage: (message) => void messages.set(keyOf(message.conversation, message.seq), message),
      setEntry(entry) {
        drop.delete(entry.clientId);
        put.set(entry.clientId, entry);
      },
      dropEntry(clientId) {
        put.delete(clientId);
        drop.add(clientId);
      },
      evict: (range) => void evict.push(range),
    };
    const stored: (() => void)[] = [];
    for (const change of changes) {
      await change.run(transaction);
      if (change.stored !== undefined) stored.push(change.stored);
    }
    const batch: Batch = {
      ...(next === meta ? {} : { meta: next }),
      conversations: [...newRows.values()],
      messages: [...messages.values()],
      outbox: { put: [...put.values()], drop: [...drop] },
      evict,
    };
    return { batch, stored };
  };

  const insist = async <Result>(what: () => Promise<Result>): Promise<Result> => {
    for (let tries = 0; ; tries++) {
      try {
        return await what();
      } catch (error) {
        fault(error as Error, 'storage');
        await pause(clock, fullJitter(tries, retryRange, random));
      }
    }
  };

  const take = (): Change[] => {
    let count = 0;
    const end = waiting.findIndex((change, index) => (count += change.rows ?? 1) > batchRows && index > 0);
    return waiting.splice(0, end === -1 ? waiting.length : end);
  };

  const writeOnce = async (): Promise<void> => {
    const changes = take();
    const { batch, stored } = await insist(() => collect(changes));
    await insist(() => storage.write(batch));
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

  /** `busy` falls in the turn in which nothing waits any more: a change of the next one must begin again. */
  const write = async (): Promise<void> => {
    busy = true;
    try {
      await opened;
      while (waiting.length > 0) await writeOnce();
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
      waiting.push(change);
      if (!busy) writing = write();
    },
    row: rowOf,
    async flushed() {
      while (busy) await writing;
    },
  };
}
