import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { createRecent, recentLimits } from '../../../shared/redis/conversations/recent.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/** The newest messages of conversations that somebody reads come from Redis alone, and say what the store says. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

const down = (from: number, count: number): number[] => numbers(from - count + 1, count).toReversed();

/** How many pages came from Redis alone and how many asked the store, while something was done. */
async function tiers(work: () => Promise<unknown>): Promise<{ hot: number; store: number }> {
  const count = async (tier: string): Promise<number> =>
    Number(
      new RegExp(`restante_history_pages_total\\{tier="${tier}".*\\} (\\d+)`).exec(
        await cluster.metrics('web-1'),
      )?.[1] ?? 0,
    );
  const [hot, store] = [await count('hot'), await count('store')];
  await work();
  return { hot: (await count('hot')) - hot, store: (await count('store')) - store };
}
const hot = (pages: number) => ({ hot: pages, store: 0 });

const keyOf = (conversation: string): string =>
  cluster.keys.recent(cluster.keys.partitionOf(conversation), conversation);

async function seqs(device: Device, ask: object): Promise<number[]> {
  return (await device.request({ type: 'history', ...ask }, 'history')).messages.map(({ seq }) => seq);
}

/** A direct conversation that the archive has settled. */
async function archived(
  count: number,
  body?: (i: number) => unknown,
): Promise<{ alice: Welcomed; bob: string; conversation: string }> {
  const [alice, bob] = [await cluster.connect(cluster.user('alice')), cluster.user('bob')];
  await sendMany(alice, bob, count, 'm', body);
  await cluster.settled('history');
  return { alice, bob, conversation: alice.all('accepted')[0]!.message.conversation };
}

/** Reads until the filling, for which no reader waits, is done. */
async function warm(device: Device, ask: object): Promise<void> {
  await vi.waitFor(
    async () => expect(await tiers(() => device.request({ type: 'history', ...ask }, 'history'))).toEqual(hot(1)),
    15_000,
  );
}

test('nothing is kept of a conversation that nobody reads', async () => {
  const { alice, bob, conversation } = await archived(30);
  await sendMany(alice, bob, 5, 'more');
  await cluster.settled('history');
  expect(await cluster.redis.exists(keyOf(conversation))).toBe(0);
});

test('after one read of the store no page of the newest asks it, as messages come and are archived', async () => {
  const { alice, bob, conversation } = await archived(250);
  expect(await tiers(() => seqs(alice, { conversation, limit: 100 }))).toEqual({ hot: 0, store: 1 });
  await warm(alice, { conversation, limit: 100 });
  for (let round = 0; round < 5; round++) {
    const end = 250 + round * 20;
    expect(
      await tiers(async () => {
        expect(await seqs(alice, { conversation, limit: 100 })).toEqual(down(end, 100));
        expect(await seqs(alice, { conversation })).toEqual(down(end, 20));
        expect(await seqs(alice, { conversation, before: end - 50, limit: 30 })).toEqual(down(end - 51, 30));
        expect(await seqs(alice, { conversation, after: end - 80, limit: 10 })).toEqual(numbers(end - 79, 10));
        expect(await seqs(alice, { conversation, after: end - 5 })).toEqual(numbers(end - 4, 5));
        expect(await seqs(alice, { conversation, after: end })).toEqual([]);
      }),
    ).toEqual(hot(6));
    await sendMany(alice, bob, 20, `round-${round}`);
    await cluster.settled('history');
  }
  const held = await cluster.redis.hgetall(keyOf(conversation));
  expect([held['low'], held['high'], held['epoch']]).toEqual(['223', '350', alice.welcome.epoch.split('.')[0]]);
  expect(Object.keys(held)).toHaveLength(recentLimits.messages + 4);

  // Byte for byte what the store holds.
  const store = openSqliteStore(join(cluster.dir, 'history.db'), { readOnly: true });
  const stored = (await store.blocks(conversation, 223, 350, 'oldest', 200)).flatMap(({ firstSeq, texts }) =>
    texts.map((text, i) => [String(firstSeq + i), text]),
  );
  await store.close();
  expect(
    Object.entries(held)
      .filter(([field]) => /^\d+$/.test(field))
      .toSorted(([one], [other]) => Number(one) - Number(other)),
  ).toEqual(stored.filter(([seq]) => Number(seq) >= 223));
  expect(Number(held['bytes'])).toBe(
    stored.filter(([seq]) => Number(seq) >= 223).reduce((sum, [, text]) => sum + Buffer.byteLength(text!), 0),
  );
  // What lies below comes from the store, and does not push out what is newer.
  expect(
    await tiers(async () => expect(await seqs(alice, { conversation, before: 230, limit: 20 })).toEqual(down(229, 20))),
  ).toEqual({ hot: 0, store: 1 });
  expect(await tiers(() => seqs(alice, { conversation, limit: 100 }))).toEqual(hot(1));
});

test('it goes on over restarts of gateways and archives', async () => {
  const { alice, bob, conversation } = await archived(60);
  await warm(alice, { conversation, limit: 60 });
  await cluster.end('archive', 'SIGKILL');
  await sendMany(alice, bob, 10, 'meanwhile');
  expect(await tiers(async () => expect(await seqs(alice, { conversation })).toEqual(down(70, 20)))).toEqual(hot(1));
  await cluster.start('archive');
  await cluster.settled('history');
  await cluster.end('web');
  await cluster.start('web');
  const again = await cluster.connect(alice.welcome.user);
  await warm(again, { conversation });
  expect(await tiers(async () => expect(await seqs(again, { conversation, limit: 50 })).toEqual(down(70, 50)))).toEqual(
    hot(1),
  );
});

test('it goes some time after the last read, and only readers prolong it', async () => {
  const { alice, bob, conversation } = await archived(5);
  await warm(alice, { conversation });
  const left = () => cluster.redis.pttl(keyOf(conversation));
  expect(await left()).toBeGreaterThan(recentLimits.stayMs * 0.9);
  expect(await left()).toBeLessThanOrEqual(recentLimits.stayMs);
  await cluster.redis.pexpire(keyOf(conversation), 60_000);
  await sendMany(alice, bob, 5, 'more');
  await cluster.settled('history');
  expect(await cluster.redis.hget(keyOf(conversation), 'high')).toBe('10');
  expect(await left()).toBeLessThanOrEqual(60_000);
  await seqs(alice, { conversation });
  expect(await left()).toBeGreaterThan(60_000);
  await cluster.redis.del(keyOf(conversation));
  expect(await tiers(async () => expect(await seqs(alice, { conversation })).toEqual(down(10, 10)))).toEqual({
    hot: 0,
    store: 1,
  });
});

test('what is of another epoch is not shown, and makes way', async () => {
  const { alice, conversation } = await archived(5);
  await warm(alice, { conversation });
  await cluster.redis.hset(keyOf(conversation), 'epoch', 'another', '5', 'not of this life');
  expect(await tiers(async () => expect(await seqs(alice, { conversation })).toEqual(down(5, 5)))).toEqual({
    hot: 0,
    store: 1,
  });
  await warm(alice, { conversation });
  expect(await seqs(alice, { conversation })).toEqual(down(5, 5));
});

test('a member with gaps in its membership reads from Redis only what it may see', async () => {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob')),
  ]);
  const [id, carol] = [cluster.user('group'), cluster.user('carol')];
  const http = async (method: string, path: string, body?: unknown) =>
    expect((await cluster.http(cluster.token(alice.welcome.user), method, path, body)).status).toBeLessThan(300);
  await http('POST', '/conversations', { id, members: [alice.welcome.user, bob.welcome.user] });
  await sendMany(alice, { conversation: id }, 10, 'a');
  await http('PUT', `/conversations/${id}/members/${carol}`);
  await http('DELETE', `/conversations/${id}/members/${bob.welcome.user}`);
  await sendMany(alice, { conversation: id }, 40, 'b');
  await cluster.settled('history');
  await warm(alice, { conversation: id, limit: 100 });
  const late = await cluster.connect(carol);
  expect(
    await tiers(async () => {
      expect(await seqs(alice, { conversation: id, limit: 100 })).toEqual(down(52, 52));
      expect(await seqs(late, { conversation: id, limit: 100 })).toEqual(down(52, 42));
      expect(await seqs(bob, { conversation: id, limit: 100 })).toEqual(down(12, 12));
      expect(await seqs(bob, { conversation: id, limit: 5 })).toEqual(down(12, 5));
      expect(await seqs(bob, { conversation: id, after: 10, limit: 5 })).toEqual([11, 12]);
    }),
  ).toEqual(hot(5));
});

test('a slot without a body is a hole in it, and shows what a replay writes there', async () => {
  const { alice, bob, conversation } = await archived(2);
  await warm(alice, { conversation });
  const partition = cluster.keys.partitionOf(conversation);
  // A change of membership without its spans, which the archive cannot handle.
  const tail = '"sender":"alice","clientId":"x","kind":"text","body":1,"class":"normal"}';
  await cluster.redis.hset(cluster.keys.conversation(partition, conversation), 'seq', 3, 'prev', 3);
  const id = await cluster.redis.xadd(
    cluster.keys.messages(partition),
    '*',
    'r',
    `1 message ${conversation} 3 2 1 alice - normal ${alice.welcome.user},${bob} dora`,
    't',
    tail,
  );
  await sendMany(alice, bob, 2, 'after');
  await cluster.settled('history');
  await cluster.redis.xtrim(cluster.keys.messages(partition), 'MAXLEN', 0);
  for (let i = 0; i < 3; i++) expect(await seqs(alice, { conversation })).toEqual([5, 4, 2, 1]);
  await warm(alice, { conversation, limit: 1 });

  const at = Number(id!.split('-')[0]);
  const text = `{"id":"${partition}-${id}","conversation":"${conversation}","seq":3,"at":${at},${tail}`;
  const store = openSqliteStore(join(cluster.dir, 'history.db'));
  await store.write({
    progress: null,
    conversations: [],
    members: [],
    skips: [],
    amendments: [],
    blocks: [{ conversation, firstSeq: 3, lastSeq: 3, firstAt: at, lastAt: at, format: 1, rev: 0, texts: [text] }],
  });
  await store.close();
  expect(await seqs(alice, { conversation })).toEqual([5, 4, 3, 2, 1]);
  await warm(alice, { conversation });
  expect(await seqs(alice, { conversation })).toEqual([5, 4, 3, 2, 1]);
});

test('long messages are bounded by their bytes, and the rest of them is read all the same', async () => {
  const { alice, bob, conversation } = await archived(40, () => 'x'.repeat(16_000));
  await seqs(alice, { conversation, limit: 30 });
  await vi.waitFor(async () => expect(await cluster.redis.hget(keyOf(conversation), 'low')).toBe('25'), 15_000);
  expect(Number(await cluster.redis.hget(keyOf(conversation), 'bytes'))).toBeLessThanOrEqual(recentLimits.bytes);
  expect(await tiers(() => seqs(alice, { conversation, limit: 10 }))).toEqual(hot(1));
  await sendMany(alice, bob, 1, 'short');
  await cluster.settled('history');
  expect(await seqs(alice, { conversation, limit: 30 })).toEqual(down(41, 30));
  expect(await cluster.redis.hmget(keyOf(conversation), 'low', 'high')).toEqual(['25', '41']);
});

describe('whatever comes in whatever order', () => {
  test('what is kept has no hole, is bounded, and its bytes add up', async () => {
    const recent = createRecent(cluster.redis, cluster.keys);
    const conversation = cluster.user('walk');
    const partition = cluster.keys.partitionOf(conversation);
    const text = (seq: number): string => `${seq}:${'ü'.repeat((seq * 7919) % 4000)}`;
    const runOf = (firstSeq: number, count: number) => ({
      conversation,
      firstSeq,
      texts: numbers(firstSeq, count).map(text),
    });
    await recent.extend(partition, [runOf(1, 5)]);
    expect(await cluster.redis.exists(keyOf(conversation))).toBe(0);
    let state = 42;
    const random = (below: number): number => (state = (state * 48_271) % 2_147_483_647) % below;
    let end = 1;
    for (let step = 0; step < 400; step++) {
      if (random(3) === 0) await recent.fill(runOf(Math.max(1, end - random(200)), 1 + random(120)), 0);
      else {
        end += random(20) === 0 ? 300 : 0;
        const count = 1 + random(60);
        await recent.extend(partition, [runOf(end, count)]);
        end += count;
      }
      const {
        low = '1',
        high = '0',
        bytes = '0',
        epoch: _,
        ...texts
      } = await cluster.redis.hgetall(keyOf(conversation));
      const held = numbers(Number(low), Number(high) - Number(low) + 1);
      expect(texts).toEqual(Object.fromEntries(held.map((seq) => [seq, text(seq)])));
      expect(held.length).toBeLessThanOrEqual(recentLimits.messages);
      expect(Number(bytes)).toBe(held.reduce((sum, seq) => sum + Buffer.byteLength(text(seq)), 0));
      expect(Number(bytes)).toBeLessThanOrEqual(recentLimits.bytes);
    }
  });
});
