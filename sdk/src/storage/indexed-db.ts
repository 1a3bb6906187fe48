import type { OutboxEntry } from '../outbox/entry.ts';
import { systemClock, type Clock } from '../platform/clock.ts';
import type { Message } from '../wire.ts';
import { openDatabase, stores, type Transaction } from './browser-database.ts';
import {
  blankMeta,
  StorageFenced,
  type Batch,
  type ConversationRow,
  type IndexRow,
  type Meta,
  type Storage,
  type Stretch,
} from './storage.ts';

export type IndexedDbOptions = {
  /** Storages of different names do not know each other. Default `restante`. */
  name?: string;
  factory?: IDBFactory;
  clock?: Clock;
};

const range = ({ conversation, fromSeq, toSeq }: Stretch): IDBKeyRange =>
  IDBKeyRange.bound([conversation, fromSeq], [conversation, toSeq]);

/** The last of an index or store first, at most `limit`. */
function last<Row>(source: IDBObjectStore | IDBIndex, keys: IDBKeyRange | null, limit: number): () => Row[] {
  const rows: Row[] = [];
  const request = source.openCursor(keys, 'prev');
  request.addEventListener('success', () => {
    const cursor = request.result;
    if (cursor === null || rows.length >= limit) return;
    rows.push(cursor.value as Row);
    cursor.continue();
  });
  return () => rows;
}

function put({ store, commit }: Transaction, batch: Batch): void {
  const { meta, term, conversations, messages, outbox, evict, index } = batch;
  if (meta !== undefined) store('meta').put(meta, 'meta');
  if (term !== undefined) store('meta').put(term, 'term');
  for (const stretch of evict ?? []) store('messages').delete(range(stretch));
  for (const stretch of index?.drop ?? []) store('index').delete(range(stretch));
  for (const [into, rows] of [
    ['conversations', conversations],
    ['messages', messages],
    ['index', index?.put],
    ['outbox', outbox?.put],
  ] as const)
    for (const row of rows ?? []) store(into).put(row);
  for (const clientId of outbox?.drop ?? []) store('outbox').delete(clientId);
  commit();
}

/** Keeps everything in the IndexedDB of a browser. Each call is one transaction. */
export function indexedDb(options: IndexedDbOptions = {}): Storage {
  const { factory = indexedDB, name = 'restante', clock = systemClock } = options;
  const { begin, run, close } = openDatabase(factory, name, clock);

  const read = <Result>(
    from: (typeof stores)[number],
    ask: (store: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result> =>
    run('readonly', [from], ({ store }) => {
      const request = ask(store(from));
      return () => request.result;
    });

  const newest = async <Row>(from: 'messages' | 'index', stretch: Stretch, limit: number): Promise<Row[]> =>
    (await run('readonly', [from], ({ store }) => last<Row>(store(from), range(stretch), limit))).toReversed();

  return {
    persistent: true,
    name,
    open() {
      begin();
      return run('readonly', ['meta'], ({ store }) => {
        const meta = store('meta').get('meta') as IDBRequest<Meta | undefined>;
        const term = store('meta').get('term') as IDBRequest<number | undefined>;
        return () =>
          meta.result === undefined && term.result === undefined
            ? null
            : { ...blankMeta, ...meta.result, term: term.result ?? 0 };
      });
    },
    /** The term is asked for first, in the same transaction: nothing of an older writer is put. */
    write: (batch) =>
      run('readwrite', stores, (transaction) => {
        const { term } = batch;
        if (term === undefined) put(transaction, batch);
        else {
          const asked = transaction.store('meta').get('term') as IDBRequest<number | undefined>;
          asked.addEventListener('success', () => {
            const newer = asked.result ?? 0;
            try {
              if (term < newer) throw new StorageFenced(term, newer);
              put(transaction, batch);
            } catch (error) {
              transaction.abort(error);
            }
          });
        }
        return () => undefined;
      }),
    conversation: async (id) =>
      ((await read('conversations', (store) => store.get(id))) as ConversationRow | undefined) ?? null,
    list: (n) => run('readonly', ['conversations'], ({ store }) => last(store('conversations').index('at'), null, n)),
    async read(conversation, fromSeq, toSeq, limit, isNewest) {
      const stretch = { conversation, fromSeq, toSeq };
      if (isNewest === true) return newest('messages', stretch, limit);
      return (await read('messages', (store) => store.getAll(range(stretch), limit))) as Message[];
    },
    index: (conversation, fromSeq, toSeq, limit) => newest<IndexRow>('index', { conversation, fromSeq, toSeq }, limit),
    outbox: async () => (await read('outbox', (store) => store.index('order').getAll())) as OutboxEntry[],
    keep: async () => void (await navigator.storage?.persist?.()),
    erase: () =>
      run('readwrite', stores, ({ store, commit }) => {
        for (const one of stores) store(one).clear();
        commit();
        return () => undefined;
      }),
    close,
  };
}
