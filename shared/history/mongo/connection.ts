import { type Collection, type Db, type Document, type IndexDescription, MongoClient, MongoServerError } from 'mongodb';
import { monotonicMs } from '../../timing/clocks.ts';

export type Row = Document & { _id?: string | number };

/**
 * Every write is acknowledged by a majority from its journal. Reads say for themselves what they see
 * (mongo-sessions.ts).
 */
export const clientOptions = {
  appName: 'restante',
  writeConcern: { w: 'majority', journal: true, wtimeoutMS: 5000 },
  readPreference: 'primary',
  retryWrites: true,
  retryReads: true,
  serverSelectionTimeoutMS: 3000,
  connectTimeoutMS: 3000,
  waitQueueTimeoutMS: 3000,
  // A primary that is silent counts as gone after this and the connect timeout together, and what waits for it is told.
  heartbeatFrequencyMS: 2000,
  promoteLongs: true,
} as const;

/**
 * Without a primary for longer than this (ms), calls are refused at once: each would wait for the server selection
 * otherwise.
 */
const withoutPrimaryMs = 3000;

const defaultDatabase = 'restante';
const databaseOf = (url: string): string => /^[^/]*\/\/[^/]*\/([^?]+)/.exec(url)?.[1] ?? defaultDatabase;

const serverCodes = { namespaceNotFound: 26, indexNotFound: 27, namespaceExists: 48 } as const;
const hasCode = (error: unknown, ...codes: number[]): boolean =>
  error instanceof MongoServerError && codes.includes(Number(error.code));

/** The indexes by which blocks are read; a read that could take a worse one names its own. */
export const blockIndexes = {
  /**
   * Covers where blocks lie and when they end, so a range of small ones reads no documents beside those that it asks
   * for.
   */
  byPlace: { conversation: 1, firstSeq: 1, lastSeq: 1, lastAt: 1 },
  /** The newest first; of two that end alike the longer one. */
  byEnd: { conversation: 1, lastSeq: -1, firstSeq: 1 },
} as const;

const indexes = {
  blocks: [
    { key: { conversation: 1, firstSeq: 1 }, unique: true },
    { key: blockIndexes.byPlace },
    { key: blockIndexes.byEnd },
    { key: { lastAt: 1 } },
    { key: { apart: 1, lastAt: 1 } },
  ],
  conversations: [{ key: { historyDays: 1, _id: 1 } }],
  members: [{ key: { conversation: 1, user: 1 } }, { key: { user: 1, conversation: 1 } }],
  skips: [{ key: { conversation: 1, fromSeq: 1, toSeq: 1 } }],
  /** A unique key of its own, and not a joined `_id`: it can be a shard key. */
  amendments: [
    { key: { conversation: 1, seq: 1 }, unique: true },
    { key: { conversation: 1, amendSeq: -1 } },
    { key: { baked: 1, at: 1 } },
  ],
  settings: [{ key: { user: 1, key: 1 }, unique: true }],
  progress: [],
  deployment: [],
  processes: [],
  slots: [],
  barrier: [],
} as const satisfies Record<string, readonly IndexDescription[]>;

/** Indexes of older versions that another one has taken the place of. */
const superseded: Partial<Record<keyof typeof indexes, string[]>> = {
  blocks: ['conversation_1_lastSeq_1', 'conversation_1_lastAt_1'],
  members: ['conversation_1'],
  skips: ['conversation_1_toSeq_1'],
};

const nameOf = ({ key }: Pick<IndexDescription, 'key'>): string =>
  Object.entries(key)
    .map(([field, order]) => `${field}_${order}`)
    .join('_');

/**
 * Makes the collections and indexes that are missing; processes may do so at the same moment. An index is ready once a
 * majority has built it, so one node may be down meanwhile. It takes as long as a large collection needs.
 */
async function prepare(database: Db): Promise<void> {
  const present = new Set((await database.listCollections({}, { nameOnly: true }).toArray()).map(({ name }) => name));
  await Promise.all(
    Object.entries(indexes).map(async ([name, wanted]: [string, readonly IndexDescription[]]) => {
      const collection = database.collection(name);
      if (!present.has(name)) {
        await database.createCollection(name).catch((error: unknown) => {
          if (!hasCode(error, serverCodes.namespaceExists)) throw error;
        });
      }
      if (wanted.length === 0) return;
      const found = new Set((await collection.indexes()).map((index) => index.name));
      const missing = wanted.filter((index) => !found.has(nameOf(index)));
      if (missing.length > 0) await collection.createIndexes([...missing], { commitQuorum: 'majority' });
      for (const old of superseded[name as keyof typeof indexes] ?? []) {
        if (!found.has(old)) continue;
        await collection.dropIndex(old).catch((error: unknown) => {
          if (!hasCode(error, serverCodes.indexNotFound, serverCodes.namespaceNotFound)) throw error;
        });
      }
    }),
  );
}

export type Connected = Record<keyof typeof indexes, Collection<Row>> & {
  client: MongoClient;
  ping(): Promise<void>;
  /** Throws where it is known that nothing can be asked now. */
  mustHavePrimary(): void;
};

/**
 * Connects and makes what is missing. A client that could not connect is of no more use to its driver: each try has its
 * own.
 */
export async function connect(url: string): Promise<Connected> {
  const client = new MongoClient(url, clientOptions);
  let lostAt: number | null = monotonicMs();
  client.on('topologyDescriptionChanged', ({ newDescription }) => {
    const isThere = [...newDescription.servers.values()].some(({ isWritable }) => isWritable);
    lostAt = isThere ? null : (lostAt ?? monotonicMs());
  });
  try {
    const database = client.db(databaseOf(url));
    await prepare(database);
    const collections = Object.fromEntries(Object.keys(indexes).map((name) => [name, database.collection<Row>(name)]));
    return {
      ...(collections as Record<keyof typeof indexes, Collection<Row>>),
      client,
      async ping() {
        await database.command({ ping: 1 });
      },
      mustHavePrimary() {
        if (lostAt !== null && monotonicMs() - lostAt > withoutPrimaryMs) {
          throw new Error('the history cannot be used now: MongoDB has no primary');
        }
      },
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}
