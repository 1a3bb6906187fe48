import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { BSON, MongoClient } from 'mongodb';
import { expect } from 'vitest';
import { coldFolders } from '../../shared/history/cold/cold-block.ts';
import { withCold } from '../../shared/history/cold/cold.ts';
import { openFolder } from '../../shared/history/cold/folder.ts';
import type { ObjectStore } from '../../shared/history/cold/objects.ts';
import { openMongoStore } from '../../shared/history/mongo/store.ts';
import { openDatabase } from '../../shared/history/sqlite/schema.ts';
import { openSqliteStore } from '../../shared/history/sqlite/store.ts';
import type { Block, HistoryStore } from '../../shared/history/store.ts';
import type { Amendment } from '../../shared/model/amendment.ts';
import { messageTail, messageText } from '../../shared/model/message-text.ts';
import { createMetrics } from '../../shared/process/metrics.ts';
import { createKeys } from '../../shared/redis/keys.ts';
import { createBaking } from '../../workers/compaction/baking.ts';
import { createCooling } from '../../workers/compaction/cooling.ts';
import { createDiscarding } from '../../workers/compaction/discarding.ts';
import { createMerging } from '../../workers/compaction/merging.ts';
import { mongoServer, withDatabase } from './mongo-server.ts';
import { numbers } from './sending.ts';

/** A history with amended messages of one conversation, and the parts of the compaction that change its blocks. */

const dayMs = 86_400_000;
const minuteMs = 60_000;
export const bakedAt = 1_000 * dayMs;

/** A store, the bytes of all that it keeps, and how to remove them. */
export type Kind = {
  name: string;
  open(dir: string): HistoryStore;
  bytes(dir: string): Promise<string>;
  drop(): Promise<void>;
};

const sqlite: Kind = {
  name: 'SQLite',
  open: (dir) => openSqliteStore(join(dir, 'history.db')),
  async bytes(dir) {
    const db = openDatabase(join(dir, 'history.db'), false);
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    db.close();
    return (await readFile(join(dir, 'history.db'))).toString('latin1');
  },
  drop: async () => undefined,
};

/** Every kind of store that there is here. `skipped`: why there is no MongoDB. */
export async function storeKinds(): Promise<{ kinds: Kind[]; skipped?: string; stop(): Promise<void> }> {
  const server = await mongoServer();
  if ('skipped' in server) return { kinds: [sqlite], skipped: server.skipped, stop: async () => undefined };
  const url = withDatabase(server.url, `baking_${randomBytes(6).toString('hex')}`);
  const client = new MongoClient(url);
  const mongo: Kind = {
    name: 'MongoDB',
    open: () => openMongoStore(url),
    async bytes() {
      const collections = await client.db().collections();
      const documents = (await Promise.all(collections.map((collection) => collection.find().toArray()))).flat();
      return documents.map((document) => Buffer.from(BSON.serialize(document)).toString('latin1')).join('\n');
    },
    drop: async () => void (await client.db().dropDatabase()),
  };
  return {
    kinds: [sqlite, mongo],
    async stop() {
      await client.close();
      await server.stop();
    },
  };
}

/** A word that only the body of this message holds. */
export const secret = (seq: number): string => `secret-${seq}-`;

export const textOf = (seq: number): string =>
  messageText(0, {
    streamId: `${bakedAt + seq}-0`,
    conversation: 'c',
    seq,
    at: bakedAt + seq,
    tail: messageTail('alice', `m-${seq}`, 'text', JSON.stringify({ text: secret(seq).repeat(3) }), 'normal'),
  });

/** A block whose last message is so many days old. */
export const blockOf = (firstSeq: number, lastSeq: number, days = 1, format = 1): Block => ({
  conversation: 'c',
  firstSeq,
  lastSeq,
  firstAt: bakedAt - (days + 1) * dayMs,
  lastAt: bakedAt - days * dayMs,
  format,
  rev: 0,
  texts: numbers(firstSeq, lastSeq - firstSeq + 1).map(textOf),
});

/** An amendment that is old enough for its body to be put into blocks; `body` null: a recall. */
export const amendment = (
  seq: number,
  amendSeq: number,
  body: string | null = null,
  at = bakedAt - 61 * minuteMs,
): Amendment => ({
  conversation: 'c',
  seq,
  amendSeq,
  version: 1,
  action: body === null ? 'recall' : 'edit',
  by: 'alice',
  at,
  body,
});

export async function openScene(kind: Kind, redis: Redis) {
  const dir = await mkdtemp(join(tmpdir(), 'restante-baking-'));
  const store = kind.open(dir);
  const objects = openFolder(join(dir, 'cold'));
  const whole = withCold(store, objects);
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  const metrics = createMetrics('test');
  const lines: { event: string; reason: string }[] = [];
  const note = (line: { event: string; reason?: string }): void => void lines.push({ reason: '', ...line });
  const now = (): number => bakedAt;

  const namesOf = async (): Promise<string[]> =>
    (await Promise.all(coldFolders.map((name) => objects.list(name)))).flat().toSorted();
  async function stored(): Promise<Map<number, string>> {
    const found = new Map<number, string>();
    for (const { firstSeq, texts } of await whole.blocks('c', 1, 9999, 'oldest', 9999))
      texts.forEach((text, i) => found.set(firstSeq + i, text));
    return found;
  }

  return {
    store,
    objects,
    whole,
    keys,
    /** What was logged. */
    lines,
    /** The names of the objects in the cold store. */
    namesOf,
    /** The text of each seq, wherever it lies. */
    stored,
    /** Another store on the same data. */
    another: (): HistoryStore => withCold(kind.open(dir), objects),

    async fill(blocks: Block[], amendments: Amendment[] = []): Promise<void> {
      const write = { progress: null, conversations: [], members: [], skips: [], amendments, blocks };
      expect(await store.write(write)).not.toContain('taken');
    },

    baking: (given: { history?: HistoryStore; objects?: ObjectStore | null; at?: number } = {}) =>
      createBaking({
        redis,
        keys,
        history: given.history ?? whole,
        objects: given.objects === undefined ? objects : given.objects,
        metrics,
        log: { debug: note, info: note, warn: note, error: note },
        purgeMs: 60 * minuteMs,
        now: () => given.at ?? bakedAt,
      }),
    cooling: (history = whole) =>
      createCooling({ redis, keys, history, objects, metrics, afterMs: 90 * dayMs, least: 1, now }),
    merging: (history = whole) => createMerging({ redis, keys, history, metrics, now }),
    async discard(): Promise<void> {
      const run = createDiscarding({ redis, keys, history: whole, objects, metrics });
      // So many runs walk over every folder.
      for (let i = 0; i < 9; i++) await run();
    },

    /**
     * The bytes of the store, and the texts in it and in the cold store, whose folder holds nothing but its objects.
     */
    async everything(): Promise<string> {
      const files = await readdir(join(dir, 'cold'), { recursive: true }).catch(() => []);
      expect(files.filter((name) => name.includes('/')).toSorted()).toEqual(await namesOf());
      return [await kind.bytes(dir), ...(await stored()).values()].join('\n');
    },

    /** How many amendments were put into blocks. */
    marked: async (): Promise<number> => (await metrics.baked.get()).values[0]?.value ?? 0,

    async close(): Promise<void> {
      await redis.del(keys.compaction);
      await store.close();
      await kind.drop();
      await rm(dir, { recursive: true });
    },
  };
}

export type Scene = Awaited<ReturnType<typeof openScene>>;
