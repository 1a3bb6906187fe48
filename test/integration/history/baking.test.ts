import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { BSON, MongoClient } from 'mongodb';
import { afterAll, afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { coldFolders } from '../../../shared/history/cold/cold-block.ts';
import { withCold } from '../../../shared/history/cold/cold.ts';
import { openFolder } from '../../../shared/history/cold/folder.ts';
import type { ObjectStore } from '../../../shared/history/cold/objects.ts';
import { openMongoStore } from '../../../shared/history/mongo/store.ts';
import { openDatabase } from '../../../shared/history/sqlite/schema.ts';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { Block, HistoryStore } from '../../../shared/history/store.ts';
import { type Amendment, amendedText } from '../../../shared/model/amendment.ts';
import { messageTail, messageText } from '../../../shared/model/message-text.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createBaking } from '../../../workers/compaction/baking.ts';
import { createCooling } from '../../../workers/compaction/cooling.ts';
import { createDiscarding } from '../../../workers/compaction/discarding.ts';
import { createMerging } from '../../../workers/compaction/merging.ts';
import { mongoServer, withDatabase } from '../../support/mongo-server.ts';
import { numbers } from '../../support/sending.ts';

/** Old bodies leave what is stored, wherever it lies and whatever else goes on. */

const dayMs = 86_400_000;
const minuteMs = 60_000;
const now = 1_000 * dayMs;

type Kind = {
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

const server = await mongoServer();
const kinds = [sqlite];
if ('skipped' in server) test('MongoDB', ({ skip }) => skip(server.skipped));
else {
  const url = withDatabase(server.url, `baking_${randomBytes(6).toString('hex')}`);
  const client = new MongoClient(url);
  kinds.push({
    name: 'MongoDB',
    open: () => openMongoStore(url),
    async bytes() {
      const collections = await client.db().collections();
      const documents = await Promise.all(collections.map((collection) => collection.find().toArray()));
      return documents
        .flat()
        .map((document) => Buffer.from(BSON.serialize(document)).toString('latin1'))
        .join('\n');
    },
    drop: async () => void (await client.db().dropDatabase()),
  });
  afterAll(async () => {
    await client.close();
    await server.stop();
  });
}

const redis = new Redis(inject('redisUrl'));
afterAll(() => redis.disconnect());
const secret = (seq: number): string => `secret-${seq}-`;
const textOf = (seq: number): string =>
  messageText(0, {
    streamId: `${now + seq}-0`,
    conversation: 'c',
    seq,
    at: now + seq,
    tail: messageTail('alice', `m-${seq}`, 'text', JSON.stringify({ text: secret(seq).repeat(3) }), 'normal'),
  });

/** A block whose last message is so many days old. */
const blockOf = (firstSeq: number, lastSeq: number, days = 1, format = 1): Block => ({
  conversation: 'c',
  firstSeq,
  lastSeq,
  firstAt: now - (days + 1) * dayMs,
  lastAt: now - days * dayMs,
  format,
  rev: 0,
  texts: numbers(firstSeq, lastSeq - firstSeq + 1).map(textOf),
});

const amendment = (seq: number, amendSeq: number, body: string | null = null, at = now - 61 * minuteMs): Amendment => ({
  conversation: 'c',
  seq,
  amendSeq,
  version: 1,
  action: body === null ? 'recall' : 'edit',
  by: 'alice',
  at,
  body,
});

describe.each(kinds)('in $name', (kind) => {
  let dir: string;
  let store: HistoryStore;
  let objects: ObjectStore;
  let whole: HistoryStore;
  let keys: ReturnType<typeof createKeys>;
  let metrics: ReturnType<typeof createMetrics>;
  const lines: { event: string; reason: string }[] = [];
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'restante-baking-'));
    store = kind.open(dir);
    objects = openFolder(join(dir, 'cold'));
    whole = withCold(store, objects);
    keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
    metrics = createMetrics('test');
    lines.length = 0;
  });
  afterEach(async () => {
    await redis.del(keys.compaction);
    await store.close();
    await kind.drop();
    await rm(dir, { recursive: true });
  });

  const fill = async (blocks: Block[], amendments: Amendment[] = []): Promise<void> => {
    const write = { progress: null, conversations: [], members: [], skips: [], amendments, blocks };
    expect(await store.write(write)).not.toContain('taken');
  };
  const note = (line: { event: string; reason?: string }): void => void lines.push({ reason: '', ...line });
  const baking = (given: { history?: HistoryStore; objects?: ObjectStore | null; at?: number } = {}) =>
    createBaking({
      redis,
      keys,
      history: given.history ?? whole,
      objects: given.objects === undefined ? objects : given.objects,
      metrics,
      log: { debug: note, info: note, warn: note, error: note },
      purgeMs: 60 * minuteMs,
      now: () => given.at ?? now,
    });
  const cooling = (history = whole) =>
    createCooling({ redis, keys, history, objects, metrics, afterMs: 90 * dayMs, least: 1, now: () => now });
  const merging = (history = whole) => createMerging({ redis, keys, history, metrics, now: () => now });
  const discard = async (): Promise<void> => {
    const run = createDiscarding({ redis, keys, history: whole, objects, metrics });
    // So many runs walk over every folder.
    for (let i = 0; i < 9; i++) await run();
  };
  const namesOf = async (): Promise<string[]> =>
    (await Promise.all(coldFolders.map((name) => objects.list(name)))).flat().toSorted();
  const stored = async (): Promise<Map<number, string>> => {
    const found = new Map<number, string>();
    for (const { firstSeq, texts } of await whole.blocks('c', 1, 9999, 'oldest', 9999))
      texts.forEach((text, i) => found.set(firstSeq + i, text));
    return found;
  };
  /** The bytes of the store, the texts in it and in the cold store, and what files there hold beside objects. */
  const everything = async (): Promise<string> => {
    const files = (await readdir(join(dir, 'cold'), { recursive: true }).catch(() => [])).filter((name) =>
      name.includes('/'),
    );
    expect(files.toSorted()).toEqual(await namesOf());
    return [await kind.bytes(dir), ...(await stored()).values()].join('\n');
  };
  const marked = async (): Promise<number> => (await metrics.baked.get()).values[0]?.value ?? 0;

  test('no old body is left in plain, packed, merged and cold blocks; all else is as it was', async () => {
    const blocks = [
      blockOf(1, 50, 100),
      blockOf(51, 100, 2, 2),
      blockOf(101, 150, 1),
      ...numbers(151, 9).map((i) => blockOf(i, i)),
    ];
    await fill(blocks);
    await cooling()();
    const recalled = [10, 60, 110, 155];
    const edited = [20, 70, 120, 156];
    const rows = [
      ...recalled.map((seq) => amendment(seq, 1000 + seq)),
      ...edited.map((seq) => amendment(seq, 1000 + seq, `{"text":"new-${seq}"}`)),
    ];
    await fill([], rows);
    // Too early for a rewriting.
    await baking({ at: now - 2 * minuteMs })();
    expect(await everything()).toContain(secret(10));
    await merging()();
    await baking()();
    await discard();
    const bytes = await everything();
    for (const seq of [...recalled, ...edited]) expect(bytes).not.toContain(secret(seq));
    for (const seq of edited) expect(bytes).toContain(`new-${seq}`);
    const expected = new Map(numbers(1, 159).map((seq) => [seq, textOf(seq)]));
    for (const row of rows) expected.set(row.seq, amendedText(textOf(row.seq), row));
    expect(await stored()).toEqual(expected);
    expect(await whole.toBake(0, now, 99)).toEqual([]);
    expect(await whole.amendments('c', 1, 9999)).toHaveLength(rows.length);
    expect(await marked()).toBe(rows.length);
    // Nothing is written again.
    const before = await store.ranges('c', 1, 99);
    const states = await Promise.all(before.map((range) => store.stateOf(range)));
    await baking()();
    expect(await Promise.all(before.map((range) => store.stateOf(range)))).toEqual(states);
  });

  test('the body of an edit goes too, once another amendment has taken its place', async () => {
    await fill([blockOf(1, 5), blockOf(6, 10, 100)], [amendment(3, 20, '"second-3"'), amendment(7, 21, '"second-7"')]);
    await cooling()();
    await baking()();
    expect(await everything()).toContain('second-7');
    await fill([], [amendment(3, 30), amendment(7, 31, '"third-7"')]);
    await baking()();
    await discard();
    const bytes = await everything();
    expect(bytes).not.toContain('second-');
    expect(bytes).toContain('third-7');
  });

  test('a merge that had read before changes nothing, and the next one has no old body', async () => {
    await fill(
      numbers(1, 9).map((seq) => blockOf(seq, seq)),
      [amendment(8, 20)],
    );
    await merging({
      ...whole,
      // It has read the rows as they were before, too.
      amendments: async () => [],
      replaceBlocks: async (...given) => {
        await baking()();
        return store.replaceBlocks(...given);
      },
    })();
    expect((await store.ranges('c', 1, 99)).length).toBe(9);
    expect(await everything()).not.toContain(secret(8));
    await redis.del(keys.compaction);
    await merging()();
    expect((await store.ranges('c', 1, 99)).length).toBe(1);
    expect((await stored()).get(8)).toBe(amendedText(textOf(8), amendment(8, 20)));
  });

  test('a block that was merged meanwhile keeps its rows for the next run', async () => {
    await fill(
      numbers(1, 9).map((seq) => blockOf(seq, seq)),
      [amendment(8, 20)],
    );
    let merged = false;
    await baking({
      history: {
        ...whole,
        rewriteBlock: async (...given) => {
          if (!merged) await merging({ ...whole, amendments: async () => [] })();
          merged = true;
          return store.rewriteBlock(...given);
        },
      },
    })();
    expect(await everything()).toContain(secret(8));
    expect(await whole.toBake(0, now, 9)).toHaveLength(1);
    await baking()();
    expect(await everything()).not.toContain(secret(8));
  });

  test('a move into the cold store that had read before changes nothing, and goes on with the next revision', async () => {
    await fill([blockOf(1, 20, 100)], [amendment(8, 30)]);
    await cooling({
      ...whole,
      makeCold: async (block) => {
        await baking()();
        return store.makeCold(block);
      },
    })();
    // Its second look moved what was rewritten; of its first one an object is left.
    expect(await store.stateOf(blockOf(1, 20))).toEqual({ format: 4, rev: 1 });
    expect(await namesOf()).toHaveLength(2);
    await discard();
    expect(await namesOf()).toHaveLength(1);
    expect(await everything()).not.toContain(secret(8));
  });

  test('two processes with different rows of a cold block leave the newest', async () => {
    await fill([blockOf(1, 20, 100)], [amendment(8, 30, '"edited-8"')]);
    await cooling()();
    // The first one stands still between its object and the row; meanwhile the message is recalled.
    let other = Promise.resolve();
    await baking({
      history: {
        ...whole,
        rewriteBlock: async (...given) => {
          await fill([], [amendment(8, 31)]);
          other = baking()();
          await other;
          return store.rewriteBlock(...given);
        },
      },
    })();
    // The other one went on with the object it found, and its row is not marked for that.
    expect(await store.stateOf(blockOf(1, 20))).toEqual({ format: 4, rev: 1 });
    expect((await whole.toBake(0, now, 9)).map(({ amendSeq }) => amendSeq)).toEqual([31]);
    await baking()();
    await discard();
    expect(await store.stateOf(blockOf(1, 20))).toEqual({ format: 4, rev: 2 });
    expect(await namesOf()).toHaveLength(1);
    const bytes = await everything();
    for (const word of [secret(8), 'edited-8']) expect(bytes).not.toContain(word);
  });

  test.each([
    'before the object is put',
    'after the object is put',
    'before the block is changed',
    'after the block is changed',
    'before the rows are marked',
  ] as const)('stopped %s: nothing is lost, and the next run goes on', async (step) => {
    const stopped = new Error('stopped here');
    const rows = [amendment(8, 30), amendment(28, 31)];
    await fill([blockOf(1, 20, 100), blockOf(21, 40, 1, 2)], rows);
    await cooling()();
    const faulty = {
      history: { ...whole },
      objects: { ...objects },
    };
    if (step === 'before the object is put') faulty.objects.putNew = () => Promise.reject(stopped);
    if (step === 'after the object is put')
      faulty.objects.putNew = async (...given) => objects.putNew(...given).then(() => Promise.reject(stopped));
    if (step === 'before the block is changed') faulty.history.rewriteBlock = () => Promise.reject(stopped);
    if (step === 'after the block is changed')
      faulty.history.rewriteBlock = async (...given) =>
        store.rewriteBlock(...given).then(() => Promise.reject(stopped));
    if (step === 'before the rows are marked') faulty.history.markBaked = () => Promise.reject(stopped);
    for (let i = 0; i < 2; i++) {
      await baking(faulty)().catch((thrown: unknown) => expect(thrown).toBe(stopped));
      await discard();
      const found = await stored();
      for (const seq of numbers(1, 40)) if (![8, 28].includes(seq)) expect(found.get(seq)).toBe(textOf(seq));
      // What is not stored whole would not be read at all.
      expect(found.size).toBe(40);
    }
    await baking()();
    await discard();
    const found = await stored();
    for (const row of rows) expect(found.get(row.seq)).toBe(amendedText(textOf(row.seq), row));
    expect(await whole.toBake(0, now, 9)).toEqual([]);
    expect(await namesOf()).toHaveLength(1);
    expect(await everything()).not.toContain(secret(8));
  });

  test('what cannot be written is told of, and holds up nothing else', async () => {
    await fill(
      [blockOf(1, 20, 100), blockOf(21, 40)],
      [amendment(8, 50), amendment(28, 51, null, now - 60.5 * minuteMs)],
    );
    await cooling()();
    const [name] = await namesOf();
    const object = await objects.get(name!);
    await objects.put(name!, object.subarray(0, 80));
    await baking()();
    expect(lines).toMatchObject([{ event: 'bake_failed', conversation: 'c', firstSeq: 1, lastSeq: 20 }]);
    expect((await whole.toBake(0, now, 9)).map(({ seq }) => seq)).toEqual([8]);
    await objects.put(name!, object);
    await baking()();
    expect(await whole.toBake(0, now, 9)).toEqual([]);
    // Without the place of cold texts its blocks wait.
    await fill([], [amendment(9, 52)]);
    await baking({ history: withCold(store, null), objects: null })();
    expect((await whole.toBake(0, now, 9)).map(({ seq }) => seq)).toEqual([9]);
  });

  test('rows without a text are marked: there is nothing to take out', async () => {
    await fill([blockOf(1, 5), blockOf(7, 9)], [amendment(6, 20), amendment(50, 60)]);
    await baking()();
    expect(await whole.toBake(0, now, 9)).toEqual([]);
    expect(await whole.amendments('c', 1, 99)).toHaveLength(2);
  });

  test('a run is bounded, and the next one goes on', async () => {
    const seqs = numbers(1, 260);
    await fill(
      seqs.map((seq) => blockOf(seq, seq)),
      seqs.map((seq) => amendment(seq, 1000 + seq)),
    );
    await baking()();
    const left = (await whole.toBake(0, now, 999)).length;
    expect(left).toBeLessThan(260);
    // A block is a call of the store, so a slow one may need several runs.
    for (let run = 0; run < 20 && (await whole.toBake(0, now, 1)).length > 0; run++) await baking()();
    expect(await whole.toBake(0, now, 9)).toEqual([]);
    expect(await everything()).not.toContain('secret');
  });

  test('everything at once: whatever runs beside it, no old body stays and no text is lost', async () => {
    const others = [kind.open(dir), kind.open(dir)];
    const [second, third] = others.map((one) => withCold(one, objects)) as [HistoryStore, HistoryStore];
    const seqs = numbers(1, 240);
    // Old enough for the cold store, and small enough to be merged before.
    for (let first = 1; first <= 240; first += 12) await fill(numbers(first, 12).map((seq) => blockOf(seq, seq, 100)));
    const newest = new Map<number, Amendment>();
    let open = true;
    const amending = (async () => {
      for (let amendSeq = 1000; amendSeq < 1300; amendSeq++) {
        const seq = seqs[(amendSeq * 7919) % 240]!;
        // Recalled for good, or edited again and again.
        const row = amendment(seq, amendSeq, amendSeq % 3 === 0 ? null : JSON.stringify(`body-${amendSeq}-`));
        newest.set(seq, row);
        await fill([], [row]);
      }
      open = false;
    })();
    /** Until nothing is amended any more. A read whose object was removed meanwhile is tried again. */
    const meanwhile = async (run: () => Promise<void>): Promise<void> => {
      while (open) await run().catch((thrown: unknown) => expect(String(thrown)).toMatch(/ENOENT|locked|busy/));
    };
    await Promise.all([
      amending,
      meanwhile(baking()),
      meanwhile(baking({ history: second })),
      meanwhile(cooling(third)),
      meanwhile(() => redis.hdel(keys.compaction, 'mergedTo').then(merging(second))),
      meanwhile(() => discard()),
    ]);
    for (let run = 0; run < 50 && (await whole.toBake(0, now, 1)).length > 0; run++) await baking()();
    await discard();
    const expected = new Map(seqs.map((seq) => [seq, textOf(seq)]));
    for (const [seq, row] of newest) expected.set(seq, amendedText(textOf(seq), row));
    expect(await stored()).toEqual(expected);
    // A block that was raised meanwhile has another object.
    expect(lines.filter(({ reason }) => !/ENOENT/.test(reason))).toEqual([]);
    const kept = new Set([...newest.values()].flatMap(({ body }) => (body === null ? [] : [body])));
    const bytes = await everything();
    const bodies = [...bytes.matchAll(/body-\d+-/g)].map(([word]) => JSON.stringify(word));
    for (const body of bodies) expect(kept).toContain(body);
    expect(bytes).not.toContain(secret([...newest.keys()][0]!));
    await Promise.all(others.map((one) => one.close()));
  });
});
