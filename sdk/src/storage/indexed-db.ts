import type { OutboxEntry } from '../outbox/entry.ts';
import { systemClock, type Clock } from '../platform/clock.ts';
import type { Message } from '../wire.ts';
import type { Batch, ConversationRow, Opened, Storage } from './storage.ts';

export type IndexedDbOptions = {
  /** Storages of different names do not know each other. Default `restante`. */
  name?: string;
  factory?: IDBFactory;
  clock?: Clock;
};

const version = 1;
/** Some browsers never answer, or let a frozen tab hold everybody up. */
const openMs = 3000;
const transactionMs = 5000;

const stores = ['meta', 'conversations', 'messages', 'outbox'] as const;
type StoreName = (typeof stores)[number];

/** The database was made by a newer version of this package: it is left alone. */
export class StorageUpgraded extends Error {
  override readonly name = 'StorageUpgraded';
  constructor() {
    super('the storage belongs to a newer version of this page: reload it');
  }
}

function create(database: IDBDatabase): void {
  database.createObjectStore('meta');
  database.createObjectStore('conversations', { keyPath: 'id' }).createIndex('at', 'at');
  database.createObjectStore('messages', { keyPath: ['conversation', 'seq'] });
  database.createObjectStore('outbox', { keyPath: 'clientId' }).createIndex('order', 'order');
}

const seqRange = (conversation: string, fromSeq: number, toSeq: number): IDBKeyRange =>
  IDBKeyRange.bound([conversation, fromSeq], [conversation, toSeq]);

const errorOf = (error: DOMException | null): Error => error ?? new Error('the transaction was aborted');

/** Rejects after a time: IndexedDB itself may never answer. */
function within<Result>(clock: Clock, ms: number, what: string, promise: Promise<Result>): Promise<Result> {
  let cancel = (): void => {};
  const late = new Promise<never>((_, reject) => {
    cancel = clock.after(ms, () => reject(new DOMException(`${what} took longer than ${ms} ms`, 'TimeoutError')));
  });
  return Promise.race([promise, late]).finally(() => cancel());
}

/** Errors after which the handle is of no use; a new one may be. */
const isDead = (error: unknown): boolean =>
  error instanceof DOMException && ['InvalidStateError', 'UnknownError', 'TimeoutError'].includes(error.name);

/**
 * Keeps everything in the IndexedDB of a browser. Each call is one transaction, which is committed at once: nothing is
 * awaited inside of one, because a page that is frozen meanwhile holds up all others.
 */
export function indexedDb(options: IndexedDbOptions = {}): Storage {
  const { name = 'restante', clock = systemClock } = options;
  let opening: Promise<IDBDatabase> | null = null;

  const openOnce = (): Promise<IDBDatabase> =>
    new Promise((resolve, reject) => {
      const request = (options.factory ?? indexedDB).open(name, version);
      request.addEventListener('upgradeneeded', () => create(request.result));
      request.addEventListener('error', () =>
        reject(request.error?.name === 'VersionError' ? new StorageUpgraded() : errorOf(request.error)),
      );
      request.addEventListener('success', () => {
        const database = request.result;
        const forget = (): void => void (opening = null);
        database.addEventListener('close', forget);
        database.addEventListener('versionchange', () => {
          database.close();
          forget();
        });
        resolve(database);
      });
    });

  const handle = (): Promise<IDBDatabase> =>
    (opening ??= within(clock, openMs, 'opening', openOnce()).catch((error: unknown) => {
      opening = null;
      throw error;
    }));

  const once = async <Result>(
    mode: IDBTransactionMode,
    names: readonly StoreName[],
    work: (store: (name: StoreName) => IDBObjectStore) => () => Result,
  ): Promise<Result> => {
    const transaction = (await handle()).transaction(names, mode);
    const done = new Promise<void>((resolve, reject) => {
      transaction.addEventListener('complete', () => resolve());
      transaction.addEventListener('abort', () => reject(errorOf(transaction.error)));
      transaction.addEventListener('error', () => reject(errorOf(transaction.error)));
    });
    // What fails below rejects before this is awaited.
    done.catch(() => {});
    let result: () => Result;
    try {
      result = work((store) => transaction.objectStore(store));
    } catch (error) {
      // What was put before would be committed by itself.
      transaction.abort();
      throw error;
    }
    if (mode === 'readwrite') transaction.commit();
    await within(clock, transactionMs, 'a transaction', done);
    return result();
  };

  const run: typeof once = async (mode, names, work) => {
    try {
      return await once(mode, names, work);
    } catch (error) {
      if (!isDead(error)) throw error;
      const old = opening;
      opening = null;
      void old?.then((database) => database.close()).catch(() => {});
      return once(mode, names, work);
    }
  };

  const read = <Result>(store: StoreName, ask: (store: IDBObjectStore) => IDBRequest<Result>): Promise<Result> =>
    run('readonly', [store], (get) => {
      const request = ask(get(store));
      return () => request.result;
    });

  /** The last of an index or store first, at most `limit`. */
  const last = <Row>(source: IDBObjectStore | IDBIndex, range: IDBKeyRange | null, limit: number): (() => Row[]) => {
    const rows: Row[] = [];
    const request = source.openCursor(range, 'prev');
    request.addEventListener('success', () => {
      const cursor = request.result;
      if (cursor === null || rows.length >= limit) return;
      rows.push(cursor.value as Row);
      cursor.continue();
    });
    return () => rows;
  };

  const write = ({ meta, conversations = [], messages = [], outbox = {}, evict = [] }: Batch): Promise<void> =>
    run('readwrite', stores, (store) => {
      if (meta !== undefined) {
        const { user = null, device = '', position = 0, epoch = null } = meta;
        store('meta').put({ user, device, position, epoch }, 'meta');
      }
      for (const row of conversations) store('conversations').put(row);
      for (const message of messages) store('messages').put(message);
      for (const { conversation, fromSeq, toSeq } of evict)
        store('messages').delete(seqRange(conversation, fromSeq, toSeq));
      for (const entry of outbox.put ?? []) store('outbox').put(entry);
      for (const clientId of outbox.drop ?? []) store('outbox').delete(clientId);
      return () => undefined;
    });

  return {
    persistent: true,
    open: async () => ((await read('meta', (store) => store.get('meta'))) as Opened | undefined) ?? null,
    write,
    conversation: async (id) =>
      ((await read('conversations', (store) => store.get(id))) as ConversationRow | undefined) ?? null,
    list: (n) => run('readonly', ['conversations'], (store) => last(store('conversations').index('at'), null, n)),
    async read(conversation, fromSeq, toSeq, limit, newest) {
      const range = seqRange(conversation, fromSeq, toSeq);
      if (newest !== true) return (await read('messages', (store) => store.getAll(range, limit))) as Message[];
      const rows = await run('readonly', ['messages'], (store) => last<Message>(store('messages'), range, limit));
      return rows.toReversed();
    },
    outbox: async () => (await read('outbox', (store) => store.index('order').getAll())) as OutboxEntry[],
    erase: () =>
      run('readwrite', stores, (store) => {
        for (const one of stores) store(one).clear();
        return () => undefined;
      }),
    async close() {
      const old = opening;
      opening = null;
      await old?.then((database) => database.close()).catch(() => {});
    },
  };
}
