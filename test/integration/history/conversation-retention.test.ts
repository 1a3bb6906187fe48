import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import { createMetrics, type Metrics } from '../../../shared/process/metrics.ts';
import { createRetention } from '../../../workers/compaction/retention.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { type Api, apiOf, type Conversation, refusal } from '../../support/http-client.ts';
import { sendMany } from '../../support/sending.ts';

/** A conversation that history keeps for days of its own, with the usual 183 for all others. */

const dayMs = 86_400_000;

let cluster: Cluster;
let store: HistoryStore;
let service: Api;
let metrics: Metrics;
beforeEach(async () => {
  metrics = createMetrics('test');
  cluster = await startCluster();
  store = openSqliteStore(join(cluster.dir, 'history.db'));
  service = apiOf(cluster, cluster.token('shop', { scope: 'service' }));
});
afterEach(async () => {
  await store.close();
  await cluster.stop();
});

/** Three archived messages in a block each, the first two of which are of so many days ago. */
async function filled(user: string, peer: string, daysAgo: number): Promise<{ device: Welcomed; id: string }> {
  const device = await cluster.connect(user);
  for (let i = 0; i < 3; i++) {
    await sendMany(device, peer, 1, `to-${peer}-${i}`, () => i);
    await cluster.settled('history');
  }
  const accepted = device.all('accepted').map(({ message }) => message);
  const id = accepted[0]!.conversation;
  const db = new DatabaseSync(join(cluster.dir, 'history.db'), { timeout: 5000 });
  for (const { seq, at } of accepted.slice(0, 2)) {
    const then = at - daysAgo * dayMs;
    const place = { conversation: id, seq };
    db.prepare(`UPDATE texts SET texts = replace(texts, '"at":${at},', '"at":${then},')
      WHERE id = (SELECT text_id FROM blocks WHERE conversation = :conversation AND first_seq = :seq)`).run(place);
    expect(
      db
        .prepare(
          `UPDATE blocks SET first_at = ${then}, last_at = ${then}
            WHERE conversation = :conversation AND first_seq = :seq`,
        )
        .run(place).changes,
    ).toBe(1);
  }
  db.close();
  return { device, id };
}

async function readBy(api: Api, id: string): Promise<{ seqs: number[]; absent: unknown }> {
  const { status, body } = await api('GET', `/conversations/${id}/messages?after=0`);
  expect(status).toBe(200);
  return { seqs: (body['messages'] as { seq: number }[]).map(({ seq }) => seq), absent: body['absent'] };
}
async function set(id: string, historyDays: number | null): Promise<Conversation & { historyDays?: number }> {
  const { status, body } = await service('PATCH', `/conversations/${id}`, { historyDays });
  expect(status).toBe(200);
  return body as unknown as Conversation;
}
const stored = async (id: string): Promise<number | null | undefined> =>
  (await store.conversation(id))?.info.historyDays;
const sweep = (): Promise<void> =>
  createRetention({
    redis: cluster.redis,
    keys: cluster.keys,
    history: store,
    metrics,
    retentionMs: 183 * dayMs,
    now: Date.now,
  })();
const blocksOf = async (id: string): Promise<string> =>
  (await store.ranges(id, 1, 99)).map(({ firstSeq, lastSeq }) => `${firstSeq}-${lastSeq}`).join(' ');

test('fewer days count for the next page, and their end is undone as long as nothing was removed', async () => {
  const { id } = await filled('alice', 'bob', 40);
  const alice = apiOf(cluster, cluster.token('alice'));
  expect((await readBy(alice, id)).seqs).toEqual([1, 2, 3]);
  expect(await set(id, 30)).toMatchObject({ id, kind: 'direct', historyDays: 30 });
  for (const api of [alice, apiOf(cluster, cluster.token('bob')), service]) {
    expect(await readBy(api, id)).toEqual({ seqs: [3], absent: [{ fromSeq: 1, toSeq: 2 }] });
    expect((await api('GET', `/conversations/${id}`)).body).toMatchObject({ historyDays: 30 });
  }
  await vi.waitFor(
    async () =>
      expect((await alice('GET', '/conversations')).body['conversations']).toMatchObject([{ id, historyDays: 30 }]),
    15_000,
  );
  expect(await set(id, null)).not.toHaveProperty('historyDays');
  expect((await readBy(alice, id)).seqs).toEqual([1, 2, 3]);
});

test('more days, or all of them, bring back what the deployment has ended, and outlive a loss of Redis', async () => {
  const { device, id } = await filled('alice', 'bob', 200);
  const alice = apiOf(cluster, cluster.token('alice'));
  expect((await readBy(alice, id)).seqs).toEqual([3]);
  expect(await set(id, 0)).toMatchObject({ historyDays: 0 });
  expect((await readBy(alice, id)).seqs).toEqual([1, 2, 3]);
  await cluster.settled('history');
  expect(await stored(id)).toBe(0);

  await cluster.wipe();
  device.send({ type: 'sync', after: 0 });
  await device.closed;
  await vi.waitFor(
    async () => expect((await service('GET', `/conversations/${id}`)).body).toMatchObject({ historyDays: 0 }),
    { timeout: 10_000, interval: 100 },
  );
  expect((await readBy(alice, id)).seqs).toEqual([1, 2, 3]);
  // It was installed as it was: the next change is stored over it, and outlives the next loss.
  await set(id, 201);
  await cluster.settled('history');
  expect(await stored(id)).toBe(201);
  await set(id, null);
  await cluster.settled('history');
  expect(await stored(id)).toBeNull();
  expect(await cluster.redis.hexists(cluster.keys.conversation(cluster.keys.partitionOf(id), id), 'historyDays')).toBe(
    0,
  );
});

test('the compaction keeps what is kept longer, and removes sooner what is kept shorter', async () => {
  const [longer, shorter, usual] = await Promise.all([
    filled('alice', 'bob', 200),
    filled('carol', 'dave', 40),
    filled('erin', 'frank', 200),
  ]);
  await set(longer.id, 365);
  await set(shorter.id, 30);
  await cluster.settled('history');
  // A process that has only just begun believes no clock.
  await createRetention({
    redis: cluster.redis,
    keys: cluster.keys,
    history: store,
    metrics,
    retentionMs: 183 * dayMs,
  })();
  expect(await Promise.all([longer, shorter, usual].map(({ id }) => blocksOf(id)))).toEqual([
    '1-1 2-2 3-3',
    '1-1 2-2 3-3',
    '1-1 2-2 3-3',
  ]);
  await sweep();
  expect(await Promise.all([longer, shorter, usual].map(({ id }) => blocksOf(id)))).toEqual([
    '1-1 2-2 3-3',
    '3-3',
    '3-3',
  ]);
  expect((await readBy(service, longer.id)).seqs).toEqual([1, 2, 3]);
  expect(await readBy(service, shorter.id)).toEqual({ seqs: [3], absent: [{ fromSeq: 1, toSeq: 2 }] });
  expect((await metrics.expired.get()).values).toMatchObject([{ value: 4 }]);

  // Without days of its own again it is like the others, at once for readers and with the next run for its blocks.
  await set(longer.id, null);
  expect((await readBy(service, longer.id)).seqs).toEqual([3]);
  await cluster.settled('history');
  await sweep();
  expect(await blocksOf(longer.id)).toBe('3-3');
});

test('a conversation may have days of its own without a retention; a long walk goes on where it stopped', async () => {
  const { id } = await filled('alice', 'bob', 40);
  await set(id, 30);
  await cluster.settled('history');
  const others = Array.from({ length: 250 }, (_, i) => ({
    id: `g${String(i).padStart(3, '0')}`,
    kind: 'group' as const,
    name: null,
    createdAt: 1,
    service: false,
    users: null,
    historyDays: 30,
    version: 1,
  }));
  await store.write({ progress: null, conversations: others, members: [], skips: [], amendments: [], blocks: [] });
  const looked: string[] = [];
  const watched: HistoryStore = {
    ...store,
    expireBlocksOf: async (conversation, ...how) => (
      looked.push(conversation),
      store.expireBlocksOf(conversation, ...how)
    ),
  };
  const forEver = createRetention({
    redis: cluster.redis,
    keys: cluster.keys,
    history: watched,
    metrics,
    retentionMs: Infinity,
    now: Date.now,
  });
  await cluster.redis.hset(cluster.keys.compaction, 'retainedTo', '30 g248');
  await forEver();
  expect(looked).toEqual(['g249']);
  await forEver();
  expect(looked.slice(1)).toEqual([id, ...others.map((other) => other.id)]);
  expect(await blocksOf(id)).toBe('3-3');
});

test('days are set by a service token alone, and never below what an inbox may still deliver', async () => {
  const alice = apiOf(cluster, cluster.token('alice'));
  const carol = apiOf(cluster, cluster.token('carol'));
  const made = await alice('POST', '/conversations', { members: ['bob'], name: 'Tea' });
  const group = (made.body as unknown as Conversation).id;
  expect(made.body).not.toHaveProperty('historyDays');
  const direct = (await alice('POST', '/messages', { clientId: 'c', to: 'bob', kind: 'text', body: 1 })).body['message']
    .conversation as string;
  for (const id of [group, direct]) {
    const path = `/conversations/${id}`;
    expect(refusal(await alice('PATCH', path, { historyDays: 30 }))).toEqual([403, 'forbidden']);
    expect(refusal(await alice('PATCH', path, { historyDays: null }))).toEqual([403, 'forbidden']);
    expect(refusal(await carol('PATCH', path, { historyDays: 30 }))).toEqual([404, 'not_found']);
    for (const historyDays of [-1, 1.5, 36_501, '30', true, {}, 29, 1]) {
      expect([historyDays, ...refusal(await service('PATCH', path, { historyDays }))]).toEqual([
        historyDays,
        400,
        'bad_request',
      ]);
    }
    expect((await service('PATCH', path, { historyDays: 29 })).body.error?.message).toContain('30 days');
    for (const historyDays of [30, 36_500, 0]) expect(await set(id, historyDays)).toMatchObject({ historyDays });
  }
  // Of two changes that do not go together neither is made.
  expect(refusal(await service('PATCH', `/conversations/${direct}`, { name: 'x', historyDays: 40 }))).toEqual([
    403,
    'forbidden',
  ]);
  expect(refusal(await alice('PATCH', `/conversations/${group}`, { name: 'x', historyDays: 40 }))).toEqual([
    403,
    'forbidden',
  ]);
  expect((await alice('GET', `/conversations/${direct}`)).body).toMatchObject({ historyDays: 0 });
  expect((await alice('GET', `/conversations/${group}`)).body).toMatchObject({ name: 'Tea', historyDays: 0 });
  // And of two that do, both; what is not named stays.
  expect((await service('PATCH', `/conversations/${group}`, { name: 'Coffee', historyDays: 40 })).body).toMatchObject({
    name: 'Coffee',
    historyDays: 40,
  });
  expect((await alice('PATCH', `/conversations/${group}`, { name: '' })).body).toMatchObject({
    name: null,
    historyDays: 40,
  });
  expect(refusal(await service('PATCH', '/conversations/nobody-made-this', { historyDays: 40 }))).toEqual([
    404,
    'not_found',
  ]);
  await cluster.settled('history');
  expect([await stored(group), await stored(direct)]).toEqual([40, 0]);
});
