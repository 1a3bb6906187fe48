import type { Clock } from '../platform/clock.ts';

/** The database was made by a newer version of this package: it is left alone. */
export class StorageUpgraded extends Error {
  override readonly name = 'StorageUpgraded';
  constructor() {
    super('the storage belongs to a newer version of this page: reload it');
  }
}

/** The browser took the database away while it was in use. What it held is gone, and the next one is empty. */
export class StorageLost extends Error {
  override readonly name = 'StorageLost';
  constructor() {
    super('the browser has removed the storage');
  }
}

const version = 2;
/** Some browsers never answer, or let a frozen tab hold everybody up. */
const openMs = 3000;
const transactionMs = 5000;

export const stores = ['meta', 'conversations', 'messages', 'index', 'outbox'] as const;
type StoreName = (typeof stores)[number];

function create(database: IDBDatabase, oldVersion: number): void {
  const bySeq = { keyPath: ['conversation', 'seq'] };
  if (oldVersion < 1) {
    database.createObjectStore('meta');
    database.createObjectStore('conversations', { keyPath: 'id' }).createIndex('at', 'at');
    database.createObjectStore('messages', bySeq);
    database.createObjectStore('outbox', { keyPath: 'clientId' }).createIndex('order', 'order');
  }
  database.createObjectStore('index', bySeq);
}

const errorOf = (error: DOMException | null): Error => error ?? new Error('the transaction was aborted');

export type Transaction = {
  store(name: StoreName): IDBObjectStore;
  /** Everything is asked for: the transaction ends as soon as it can. */
  commit(): void;
  /** Nothing of it is stored, and the call is rejected with this error. */
  abort(error: unknown): void;
};

/** Makes the requests of a transaction, and returns how their result is read when all are done. */
type Work<Result> = (transaction: Transaction) => () => Result;

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

export type Database = {
  /** From now on an empty database is as good as the one before. */
  begin(): void;
  run<Result>(mode: IDBTransactionMode, names: readonly StoreName[], work: Work<Result>): Promise<Result>;
  close(): Promise<void>;
};

/**
 * A handle to a database of the browser, which is made anew when it has died. Each call is one transaction; nothing is
 * awaited inside of one, because a page that is frozen meanwhile holds up all others.
 */
export function openDatabase(factory: IDBFactory, name: string, clock: Clock): Database {
  let opening: Promise<IDBDatabase> | null = null;
  let wasOpen = false;
  /** It is said until `begin`. */
  let isLost = false;

  const openOnce = (): Promise<IDBDatabase> =>
    new Promise((resolve, reject) => {
      const request = factory.open(name, version);
      request.addEventListener('upgradeneeded', ({ oldVersion }) => {
        isLost ||= wasOpen && oldVersion === 0;
        create(request.result, oldVersion);
      });
      request.addEventListener('error', () =>
        reject(request.error?.name === 'VersionError' ? new StorageUpgraded() : errorOf(request.error)),
      );
      request.addEventListener('success', () => {
        const database = request.result;
        const forget = (): void => void (opening = null);
        database.addEventListener('close', forget);
        // Another page deletes the database, or has a newer version of it.
        database.addEventListener('versionchange', () => {
          database.close();
          forget();
        });
        wasOpen = true;
        if (!isLost) return resolve(database);
        database.close();
        reject(new StorageLost());
      });
    });

  const handle = (): Promise<IDBDatabase> => {
    if (opening !== null) return opening;
    const asked = openOnce();
    return (opening = within(clock, openMs, 'opening', asked).catch((error: unknown) => {
      opening = null;
      // One that opens too late must not hold up others.
      asked.then((late) => late.close()).catch(() => {});
      throw error;
    }));
  };

  const close = async (): Promise<void> => {
    const old = opening;
    opening = null;
    await old?.then((database) => database.close()).catch(() => {});
  };

  const once = async <Result>(
    database: IDBDatabase,
    mode: IDBTransactionMode,
    names: readonly StoreName[],
    work: Work<Result>,
  ): Promise<Result> => {
    const transaction = database.transaction(names, mode);
    const done = new Promise<void>((resolve, reject) => {
      transaction.addEventListener('complete', () => resolve());
      transaction.addEventListener('abort', () => reject(errorOf(transaction.error)));
    });
    // What fails below rejects before this is awaited.
    done.catch(() => {});
    let refused: unknown = null;
    /** What was put before would be committed by itself. */
    const abort = (error: unknown): void => {
      refused = error;
      transaction.abort();
    };
    try {
      const result = work({
        store: (from) => transaction.objectStore(from),
        commit: () => transaction.commit(),
        abort,
      });
      await within(clock, transactionMs, 'a transaction', done);
      return result();
    } catch (error) {
      if (refused !== null) throw refused;
      try {
        transaction.abort();
      } catch {
        // It has ended already.
      }
      throw error;
    }
  };

  return {
    begin: () => void (wasOpen = isLost = false),
    async run(mode, names, work) {
      const database = await handle();
      try {
        return await once(database, mode, names, work);
      } catch (error) {
        if (!isDead(error)) throw error;
        void close();
        return once(await handle(), mode, names, work);
      }
    },
    close,
  };
}
