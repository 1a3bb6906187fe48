import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { createInboxes } from '../../../shared/redis/inboxes/inboxes.ts';
import { createCleaning } from '../../../workers/compaction/cleaning.ts';
import { createMerging } from '../../../workers/compaction/merging.ts';
import { createRetention } from '../../../workers/compaction/retention.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/** History that is merged, packed and expired reads as it did. */

let cluster: Cluster;
let store: HistoryStore;
const metrics = createMetrics('test');
beforeEach(async () => {
  cluster = await startCluster();
  store = openSqliteStore(join(cluster.dir, 'history.db'));
});
afterEach(async () => {
  await store.close();
  await cluster.stop();
});

const later = (): number => Date.now() + 3_600_000;
const shapes = async (conversation: string) =>
  (await store.ranges(conversation, 1, 1000)).map(({ firstSeq, lastSeq }) => `${firstSeq}-${lastSeq}`).join(' ');

/** Messages one by one, each settled before the next, so that each is a block of its own. */
async function sendApart(device: Welcomed, to: string, count: number): Promise<string> {
  for (let i = 0; i < count; i++) {
    await sendMany(device, to, 1, `apart-${i}`, () => i);
    await cluster.settled('history');
  }
  return device.all('accepted')[0]!.message.conversation;
}

async function read(device: Welcomed, to: string): Promise<unknown[]> {
  const texts: string[] = [];
  for (let after = 0; ;) {
    const page = await device.request({ type: 'history', to, after, limit: 100 }, 'history');
    texts.push(...page.messages.map((message) => JSON.stringify(message)));
    if (!page.more) return texts;
    after = page.messages.at(-1)!.seq;
  }
}

describe('merging', () => {
  test('makes one packed block of small ones, byte for byte, while the archive goes on', async () => {
    const alice = await cluster.connect('alice');
    const conversation = await sendApart(alice, 'bob', 12);
    expect(await shapes(conversation)).toBe(
      numbers(1, 12)
        .map((seq) => `${seq}-${seq}`)
        .join(' '),
    );
    const before = await read(alice, 'bob');
    const merge = createMerging({ redis: cluster.redis, keys: cluster.keys, history: store, metrics, now: later });
    await Promise.all([merge(), sendMany(alice, 'bob', 40, 'meanwhile')]);
    await cluster.settled();
    // At least what was there before is one block now; more, if the archive was fast.
    expect(Number((await shapes(conversation)).split(/[- ]/)[1])).toBeGreaterThanOrEqual(12);
    const after = await read(alice, 'bob');
    expect(after.slice(0, 12)).toEqual(before);
    expect(after.length).toBe(52);
    // What it has looked at it does not look at again, and what is new it does.
    await merge();
    expect(Number(await cluster.redis.hget(cluster.keys.compaction, 'mergedTo'))).toBeGreaterThan(0);
    // The archive knows where it stands, also one that starts now.
    await cluster.end('archive', 'SIGKILL');
    await cluster.start('archive');
    await sendMany(alice, 'bob', 3, 'afterwards');
    await cluster.settled();
    expect((await read(alice, 'bob')).length).toBe(55);
  });

  test('two compactors at once, and one that stopped halfway, lose nothing', async () => {
    const alice = await cluster.connect('alice');
    const conversation = await sendApart(alice, 'bob', 10);
    const before = await read(alice, 'bob');
    // Stopped after the first block has grown and before the others went: what MongoDB would be left with.
    const [first] = await store.ranges(conversation, 1, 1);
    const blocks = await store.blocks(conversation, 1, 5, 'oldest', 9);
    const grown = {
      ...blocks[0]!,
      lastSeq: 5,
      lastAt: blocks[4]!.lastAt,
      format: 2,
      texts: blocks.flatMap(({ texts }) => texts),
    };
    expect(await store.replaceBlocks([{ ...first!, rev: 0 }], grown)).toBe(true);
    expect(await read(alice, 'bob')).toEqual(before);

    const other = openSqliteStore(join(cluster.dir, 'history.db'));
    try {
      const merges = [store, other].map((history) =>
        createMerging({ redis: cluster.redis, keys: cluster.keys, history, metrics, now: later }),
      );
      await Promise.all(merges.map((merge) => merge()));
    } finally {
      await other.close();
    }
    expect(await shapes(conversation)).toBe('1-10');
    expect(await read(alice, 'bob')).toEqual(before);
  });
});

test('what is older than the retention is removed, and readers are told that it is absent', async () => {
  const alice = await cluster.connect('alice');
  const conversation = await sendApart(alice, 'bob', 4);
  const [, , third] = alice.all('accepted').map(({ message }) => message);
  const retain = createRetention({
    redis: cluster.redis,
    keys: cluster.keys,
    history: store,
    metrics,
    retentionMs: 1000,
    now: () => third!.at + 1000,
  });
  await retain();
  const page = await alice.request({ type: 'history', to: 'bob' }, 'history');
  expect(page).toMatchObject({ messages: [{ seq: 4 }, { seq: 3 }], more: false, absent: [{ fromSeq: 1, toSeq: 2 }] });

  // Everything: the newest block stays as a stub, and the next message gets the next seq, also after a loss of Redis.
  await createRetention({
    redis: cluster.redis,
    keys: cluster.keys,
    history: store,
    metrics,
    retentionMs: 0,
    now: later,
  })();
  // By the readers' own clock nothing has expired yet, so what Redis keeps for them would still be shown.
  await cluster.redis.del(cluster.keys.recent(cluster.keys.partitionOf(conversation), conversation));
  expect(await alice.request({ type: 'history', to: 'bob' }, 'history')).toMatchObject({
    messages: [],
    more: false,
    absent: [{ fromSeq: 1, toSeq: 4 }],
  });
  expect(await shapes(conversation)).toBe('4-4');
  const db = new DatabaseSync(join(cluster.dir, 'history.db'));
  expect(db.prepare('SELECT count(*) AS texts FROM texts').get()).toEqual({ texts: 0 });
  db.close();
  await sendMany(alice, 'bob', 1, 'next');
  expect(alice.all('accepted').at(-1)!.message.seq).toBe(5);
  await cluster.settled();
  expect(await alice.request({ type: 'history', to: 'bob', after: 0 }, 'history')).toMatchObject({
    messages: [{ seq: 5 }],
    more: false,
    absent: [{ fromSeq: 1, toSeq: 4 }],
  });
});

test('inboxes of users who do not come back expire, and go on where they were', async () => {
  const { redis, keys } = cluster;
  const alice = await cluster.connect('alice');
  for (const user of ['bob', 'carol']) await sendMany(alice, user, 3, user);
  await cluster.settled();
  const inboxes = createInboxes(
    redis,
    keys,
    { inboxRetentionMs: 1, importantRetentionMs: 1 },
    { load: () => Promise.reject(new Error('not asked')), closed: () => undefined },
  );
  expect(keys.userOf(keys.inbox('bob'))).toBe('bob');
  const clean = createCleaning({ redis, keys, inboxes, metrics });
  // A walk over all keys takes some runs; other tests have theirs in the same Redis.
  for (let i = 0; i < 1000 && (await redis.exists(keys.inbox('bob'), keys.inbox('carol'))) > 0; i++) await clean();
  expect(await redis.exists(keys.inbox('bob'), keys.inbox('carol'))).toBe(0);

  await sendMany(alice, 'bob', 1, 'again');
  await cluster.settled();
  const bob = await cluster.connect('bob');
  await bob.until('the new one', () => bob.items.length === 1);
  expect(bob.items[0]).toMatchObject({ position: 4, message: { seq: 4 } });
  expect(bob.gaps).toMatchObject([{ fromSeq: 1, toSeq: 3 }]);
});

test('an operator holds partitions in a surge: blocks are packed, and history shows what waits at once', async () => {
  await cluster.stop();
  cluster = await startCluster({ jobs: true, env: { ADMIN_TOKEN: 'the-token-of-the-desk' } });
  await store.close();
  store = openSqliteStore(join(cluster.dir, 'history.db'));
  const base = cluster.url().replace(/^ws/, 'http').replace('/v1/ws', '');
  const ask = async (method: string, body?: object) => {
    const response = await fetch(`${base}/admin/api/surge`, {
      method,
      headers: { authorization: 'Bearer the-token-of-the-desk' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return {
      status: response.status,
      body: (await response.json()) as { mode: string; partitions: { state: string }[] },
    };
  };
  expect(await ask('GET')).toMatchObject({
    status: 200,
    body: { mode: 'auto', partitions: Array(4).fill({ state: 'calm' }) },
  });
  expect((await ask('POST', { mode: 'storm' })).status).toBe(400);
  expect((await ask('POST')).status).toBe(400);
  expect((await ask('POST', { mode: 'surge' })).body.mode).toBe('surge');
  await vi.waitFor(
    async () => expect((await ask('GET')).body.partitions.map(({ state }) => state)).toEqual(Array(4).fill('surge')),
    { timeout: 8000, interval: 100 },
  );

  const alice = await cluster.connect('alice');
  // The archive hears of it within a second.
  await vi.waitFor(
    async () => {
      await sendMany(alice, 'bob', 50, `m-${alice.all('accepted').length}`);
      expect((await read(alice, 'bob')).length).toBe(alice.all('accepted').length);
      await cluster.settled();
      const { conversation } = alice.all('accepted')[0]!.message;
      expect((await store.newestBlock(conversation))?.format).toBe(2);
    },
    { timeout: 15_000, interval: 100 },
  );
  await ask('POST', { mode: 'auto' });
  await vi.waitFor(
    async () => expect((await ask('GET')).body.partitions.map(({ state }) => state)).toEqual(Array(4).fill('calm')),
    { timeout: 25_000, interval: 200 },
  );
}, 60_000);
