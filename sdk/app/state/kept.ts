/**
 * Small things that outlive the page: the sign-in, if the user wants that, and drafts. Where the browser stores nothing
 * they last as long as the page.
 */
export type Kept = {
  get<Value>(key: string): Promise<Value | undefined>;
  /** undefined forgets it. */
  set(key: string, value: unknown): Promise<void>;
  /** Forgets everything whose key begins so. */
  clear(beginning: string): Promise<void>;
};

const name = 'restante-app';
const store = 'kept';
const openMs = 3000;

const open = (): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(store));
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('the storage cannot be opened')));
  });

export function createKept(): Kept {
  // Some browsers never answer: then nothing is kept.
  const late = new Promise<null>((resolve) => setTimeout(resolve, openMs, null));
  const database = Promise.race([open().catch(() => null), late]);

  const run = async (mode: IDBTransactionMode, ask: (all: IDBObjectStore) => IDBRequest): Promise<unknown> => {
    const found = await database;
    if (found === null) return undefined;
    return new Promise((resolve) => {
      const transaction = found.transaction(store, mode);
      const request = ask(transaction.objectStore(store));
      transaction.addEventListener('complete', () => resolve(request.result as unknown));
      transaction.addEventListener('abort', () => resolve(undefined));
    });
  };

  return {
    get: async <Value>(key: string) => (await run('readonly', (all) => all.get(key))) as Value | undefined,
    async set(key, value) {
      await run('readwrite', (all) => (value === undefined ? all.delete(key) : all.put(value, key)));
    },
    async clear(beginning) {
      await run('readwrite', (all) => all.delete(IDBKeyRange.bound(beginning, `${beginning}\uffff`)));
    },
  };
}
