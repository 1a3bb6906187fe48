import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { coldFolders, coldName, toObject } from '../../../shared/history/cold/cold-block.ts';
import { withCold } from '../../../shared/history/cold/cold.ts';
import { openFolder } from '../../../shared/history/cold/folder.ts';
import type { ObjectStore } from '../../../shared/history/cold/objects.ts';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { Block, HistoryStore } from '../../../shared/history/store.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createCooling } from '../../../workers/compaction/cooling.ts';
import { createDiscarding } from '../../../workers/compaction/discarding.ts';
import { createMerging } from '../../../workers/compaction/merging.ts';
import { startCluster } from '../../support/cluster.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/** Old blocks go into a folder, and history reads as it did, whatever fails on the way. */

const dayMs = 86_400_000;
const now = 1_000 * dayMs;

let dir: string;
let folder: string;
let store: HistoryStore;
let objects: ObjectStore;
let whole: HistoryStore;
let redis: Redis;
let keys: ReturnType<typeof createKeys>;
const metrics = createMetrics('test');
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-cooling-'));
  folder = join(dir, 'cold');
  store = openSqliteStore(join(dir, 'history.db'));
  objects = openFolder(folder);
  whole = withCold(store, objects);
  redis = new Redis(inject('redisUrl'));
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
});
afterEach(async () => {
  redis.disconnect();
  await store.close();
  await rm(dir, { recursive: true });
});

const textOf = (conversation: string, seq: number): string =>
  `{"id":"0-${seq}","conversation":"${conversation}","seq":${seq},"body":"${'x'.repeat(seq % 50)}"}`;

/** A block whose last message is so many days old. */
const blockOf = (conversation: string, firstSeq: number, lastSeq: number, days: number, format = 1): Block => ({
  conversation,
  firstSeq,
  lastSeq,
  firstAt: now - (days + 1) * dayMs,
  lastAt: now - days * dayMs,
  format,
  rev: 0,
  texts: numbers(firstSeq, lastSeq - firstSeq + 1).map((seq) => textOf(conversation, seq)),
});

async function fill(...blocks: Block[]): Promise<void> {
  const outcomes = await store.write({
    progress: null,
    conversations: [],
    members: [],
    skips: [],
    amendments: [],
    blocks,
  });
  expect(outcomes).not.toContain('taken');
}

const cooling = (parts: { history?: HistoryStore; objects?: ObjectStore; least?: number } = {}) =>
  createCooling({
    redis,
    keys,
    history: whole,
    objects,
    metrics,
    afterMs: 90 * dayMs,
    least: 1,
    now: () => now,
    ...parts,
  });

async function discard(): Promise<void> {
  const run = createDiscarding({ redis, keys, history: whole, objects, metrics });
  // So many runs walk over every folder.
  for (let i = 0; i < 9; i++) await run();
}

const filesOf = async (): Promise<string[]> =>
  (await Promise.all(coldFolders.map((name) => objects.list(name)))).flat().toSorted();
async function shapes(conversation: string): Promise<string> {
  const found = await store.ranges(conversation, 1, 1000);
  return (
    await Promise.all(
      found.map(async (range) => `${range.firstSeq}-${range.lastSeq}:${(await store.stateOf(range))?.format}`),
    )
  ).join(' ');
}

/** Every seq of a conversation reads as it was written. */
async function expectWhole(conversation: string, lastSeq: number): Promise<void> {
  const found = new Map<number, string>();
  for (const { firstSeq, texts } of await whole.blocks(conversation, 1, lastSeq, 'oldest', 1000))
    texts.forEach((text, i) => found.set(firstSeq + i, text));
  expect([...found].toSorted(([one], [other]) => one - other)).toEqual(
    numbers(1, lastSeq).map((seq) => [seq, textOf(conversation, seq)]),
  );
}

describe('moving', () => {
  test('takes what is old enough, and leaves what is younger, short, or holds nothing', async () => {
    await fill(
      blockOf('Team', 1, 100, 100),
      blockOf('Team', 101, 1000, 91, 2),
      blockOf('Team', 1001, 1010, 90.5),
      blockOf('Team', 1011, 1100, 89),
      blockOf('d', 1, 60, 95),
    );
    await cooling({ least: 4096 })();
    expect(await shapes('Team')).toBe('1-100:4 101-1000:4 1001-1010:1 1011-1100:1');
    expect(await shapes('d')).toBe('1-60:4');
    expect(await filesOf()).toEqual(
      ['Team.1-100', 'Team.101-1000', 'd.1-60']
        .map((name) => {
          const [, conversation, firstSeq, lastSeq] = /^(\w+)\.(\d+)-(\d+)$/.exec(name)!;
          return coldName({
            conversation: conversation!,
            firstSeq: Number(firstSeq),
            lastSeq: Number(lastSeq),
            rev: 0,
          });
        })
        .toSorted(),
    );
    await expectWhole('Team', 1100);
    const db = new DatabaseSync(join(dir, 'history.db'), { readOnly: true });
    expect(
      db.prepare('SELECT (SELECT count(*) FROM texts) AS texts, (SELECT count(*) FROM packs) AS packs').get(),
    ).toEqual({ texts: 2, packs: 0 });
    db.close();
    // Nothing that is needed goes.
    await discard();
    expect(await filesOf()).toHaveLength(3);
    await expectWhole('Team', 1100);
  });

  test('goes on where it was, also past more blocks that end at one moment than are looked at', async () => {
    await fill(...numbers(1, 450).map((i) => blockOf(`c${i}`, 1, 3, 100)));
    await cooling()();
    // What lies beyond one look of a moment stays in the store.
    expect(await filesOf()).toHaveLength(200);
    expect(Number(await redis.hget(keys.compaction, 'cooledTo'))).toBe(now - 100 * dayMs + 1);
    for (const i of [1, 200, 450]) await expectWhole(`c${i}`, 3);
    await fill(blockOf('later', 1, 5, 95));
    await cooling()();
    expect(await shapes('later')).toBe('1-5:4');
  });

  test('two at once move each block once', async () => {
    await fill(...numbers(1, 40).map((i) => blockOf('c', i * 10 - 9, i * 10, 200 - i)));
    const before = (await metrics.cooled.get()).values[0]?.value ?? 0;
    await Promise.all([cooling()(), cooling()(), cooling()()]);
    expect((await metrics.cooled.get()).values[0]!.value - before).toBe(40);
    await discard();
    await expectWhole('c', 400);
  });

  test('without its place what is cold is refused, never missing', async () => {
    await fill(blockOf('c', 1, 50, 100), blockOf('c', 51, 60, 1));
    await cooling()();
    const without = withCold(store, null);
    await expect(without.blocks('c', 1, 60, 'oldest', 9)).rejects.toThrow('COLD_URL is not set');
    await expect(without.blocksSince('c', 0, 0, 9)).rejects.toThrow('COLD_URL is not set');
    expect(await without.blocks('c', 51, 60, 'oldest', 9)).toEqual([blockOf('c', 51, 60, 1)]);
    await rm(folder, { recursive: true });
    await expect(whole.blocks('c', 1, 60, 'oldest', 9)).rejects.toThrow('ENOENT');
  });

  test('an object that comes back with other texts, or not at all, takes nothing out of the store', async () => {
    await fill(blockOf('c', 1, 50, 100));
    const [one, other] = [blockOf('c', 1, 50, 100), blockOf('c', 1, 50, 100)];
    other.texts[7] = textOf('c', 9);
    for (const get of [
      async () => toObject(other),
      async () => toObject(one).subarray(0, 60),
      () => Promise.reject(new Error('gone')),
    ]) {
      await expect(cooling({ objects: { ...objects, get } })()).rejects.toThrow();
      expect(await shapes('c')).toBe('1-50:1');
    }
    await cooling()();
    expect(await shapes('c')).toBe('1-50:4');
  });
});

describe('stopped at any step', () => {
  const stopped = new Error('stopped here');
  /** Each way the steps of one move can end, each call before it is done or after. */
  const faults: [string, () => { history?: HistoryStore; objects?: ObjectStore }][] = [
    ['before the object is put', () => ({ objects: { ...objects, put: () => Promise.reject(stopped) } })],
    [
      'while the object is written',
      () => ({
        objects: {
          ...objects,
          put: async (name, bytes) => {
            await objects.put(name, bytes);
            await objects.remove(name);
            await writeFile(join(folder, `${name}.killed.part`), bytes.subarray(0, 10));
            throw stopped;
          },
        },
      }),
    ],
    [
      'after the object is put',
      () => ({
        objects: {
          ...objects,
          put: async (name, bytes) => objects.put(name, bytes).then(() => Promise.reject(stopped)),
        },
      }),
    ],
    ['before it is read back', () => ({ objects: { ...objects, get: () => Promise.reject(stopped) } })],
    ['before the block is changed', () => ({ history: { ...whole, makeCold: () => Promise.reject(stopped) } })],
    [
      'after the block is changed',
      () => ({
        history: { ...whole, makeCold: async (range) => whole.makeCold(range).then(() => Promise.reject(stopped)) },
      }),
    ],
  ];

  test.each(faults)('%s: nothing is lost, and the next run goes on', async (_, fault) => {
    await fill(blockOf('c', 1, 50, 100), blockOf('c', 51, 120, 95, 2), blockOf('c', 121, 130, 1));
    // As often as there are blocks: a step that was done all the same is not done again.
    for (let i = 0; i < 2; i++) {
      await expect(cooling(fault())()).rejects.toThrow('stopped here');
      await expectWhole('c', 130);
      await discard();
      await expectWhole('c', 130);
    }
    await cooling()();
    expect(await shapes('c')).toBe('1-50:4 51-120:4 121-130:1');
    await discard();
    expect(await filesOf()).toHaveLength(2);
    await expectWhole('c', 130);
  });

  test('kill -9 at any moment loses nothing, and what is left of it is no object', async () => {
    const prefix = `t${randomBytes(6).toString('hex')}`;
    const blocks = numbers(1, 120).map((i) => blockOf('c', i * 5 - 4, i * 5, 400 - i));
    await fill(...blocks);
    const coldOnes = async () => (await shapes('c')).split(' ').filter((shape) => shape.endsWith(':4')).length;
    for (let round = 0; (await coldOnes()) < blocks.length; round++) {
      const before = await coldOnes();
      const args = [inject('redisUrl'), prefix, join(dir, 'history.db'), folder, String(now)];
      const child = spawn(process.execPath, [join(import.meta.dirname, 'cold-mover.ts'), ...args], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const ended = once(child, 'exit');
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe('ready');
      // Killed within ten blocks, a bit further on each time; the last one is let go to the end.
      child.stdin.write('\n'.repeat(round < 6 ? 1 : blocks.length));
      if (round < 6) {
        await vi.waitUntil(async () => (await coldOnes()) > before + round, { timeout: 10_000, interval: 1 });
        child.kill('SIGKILL');
      }
      expect(await ended).toEqual(round < 6 ? [null, 'SIGKILL'] : [0, null]);
      await discard();
      await expectWhole('c', 600);
    }
    expect(await filesOf()).toHaveLength(blocks.length);
    await redis.del(createKeys(prefix, 1, 1).compaction);
  });

  test('a move paused between object and block, while others merged and discarded, changes nothing', async () => {
    await fill(...numbers(1, 10).map((seq) => blockOf('c', seq, seq, 100)), blockOf('c', 11, 20, 1));
    const [reached, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const paused = cooling({
      history: {
        ...whole,
        makeCold: async (range) => {
          reached.resolve();
          await go.promise;
          return whole.makeCold(range);
        },
      },
    })();
    await reached.promise;
    await createMerging({ redis, keys, history: whole, metrics, now: () => now })();
    expect(await shapes('c')).toBe('1-20:2');
    await discard();
    expect(await filesOf()).toEqual([]);
    go.resolve();
    await paused;
    expect(await shapes('c')).toBe('1-20:2');
    await discard();
    expect(await filesOf()).toEqual([]);
    await expectWhole('c', 20);
  });
});

describe('what is left over', () => {
  test('goes when retention has removed its block, or left a stub of it', async () => {
    await fill(blockOf('c', 1, 50, 300), blockOf('c', 51, 60, 200), blockOf('d', 1, 50, 300));
    await cooling()();
    expect(await filesOf()).toHaveLength(3);
    await store.expireBlocks(now - 250 * dayMs, 100);
    expect([await shapes('c'), await shapes('d')]).toEqual(['51-60:4', '1-50:3']);
    await discard();
    expect(await filesOf()).toEqual([coldName({ conversation: 'c', firstSeq: 51, lastSeq: 60, rev: 0 })]);
    expect(await whole.blocks('c', 1, 99, 'oldest', 9)).toEqual([{ ...blockOf('c', 51, 60, 200), format: 4 }]);
    expect(await whole.newestBlock('d')).toMatchObject({ lastSeq: 50, format: 3, texts: [] });
  });

  test("stays when it may be another history's, or is no object at all", async () => {
    await fill(blockOf('c', 1, 50, 300));
    await cooling()();
    await objects.put(coldName({ conversation: 'foreign', firstSeq: 1, lastSeq: 2, rev: 0 }), Buffer.from('x'));
    await objects.put('00/readme', Buffer.from('x'));
    await discard();
    expect(await filesOf()).toHaveLength(3);
    // Of a conversation that is known, an object without a block goes.
    await objects.put(coldName({ conversation: 'c', firstSeq: 3, lastSeq: 4, rev: 0 }), Buffer.from('x'));
    await discard();
    expect(await filesOf()).toHaveLength(3);
    await expectWhole('c', 50);
  });
});

test('merging goes on beside what is cold, without reading it', async () => {
  await fill(blockOf('c', 1, 50, 100));
  await cooling()();
  await fill(...numbers(51, 10).map((seq) => blockOf('c', seq, seq, 1)));
  await createMerging({
    redis,
    keys,
    history: withCold(store, { ...objects, get: () => Promise.reject(new Error('not asked')) }),
    metrics,
    now: () => now,
  })();
  expect(await shapes('c')).toBe('1-50:4 51-60:2');
  await expectWhole('c', 60);
});

test('a cluster moves by itself, and its gateways show pages over both', async () => {
  const cluster = await startCluster({ env: { COLD_URL: `file:${folder}` } });
  try {
    const alice = await cluster.connect('alice');
    await sendMany(alice, 'bob', 60, 'm', (i) => `${i} ${'x'.repeat(200)}`);
    await cluster.settled();
    const { conversation } = alice.all('accepted')[0]!.message;
    const page = async () => {
      await cluster.redis.del(cluster.keys.recent(cluster.keys.partitionOf(conversation), conversation));
      return alice.request({ type: 'history', conversation, limit: 100 }, 'history');
    };
    const { re: _, ...before } = await page();
    expect(before.messages).toHaveLength(60);
    // As if it had been written long ago: history shows messages by their own time.
    const db = new DatabaseSync(join(cluster.dir, 'history.db'));
    db.exec(
      `UPDATE blocks SET first_at = first_at - ${100 * dayMs}, last_at = last_at - ${100 * dayMs} WHERE last_seq <= 60`,
    );
    db.close();
    await cluster.start('jobs');
    await vi.waitFor(async () => expect(await filesOf()).not.toEqual([]), { timeout: 15_000 });
    await vi.waitFor(
      async () => expect(await cluster.metrics('jobs-1')).toMatch(/restante_cooled_blocks_total\{.*\} [1-9]/),
      { timeout: 15_000 },
    );
    const { re: __, ...after } = await page();
    expect(after).toEqual(before);
    await sendMany(alice, 'bob', 5, 'more');
    await cluster.settled();
    expect((await page()).messages.map(({ seq }) => seq)).toEqual(numbers(1, 65).toReversed());
    expect(await readdir(folder)).not.toEqual([]);
  } finally {
    await cluster.stop();
  }
});
