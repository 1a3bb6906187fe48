import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openQueue } from '../../../shared/jobs/queues.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { numbers, sendMany } from '../../support/sending.ts';
import { createUnloader, type Unloader } from '../../support/unloading.ts';

/** A conversation that was unloaded is used as if it had not been. */

let cluster: Cluster;
let unloader: Unloader;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { FANOUT_MAX_MEMBERS: '3' } });
  unloader = createUnloader(cluster);
});
afterAll(async () => {
  await unloader.close();
  await cluster.stop();
});

/** Everything that is settled leaves; this one does for certain. */
async function unload(id: string): Promise<void> {
  await cluster.settled();
  await unloader.walk();
  expect(await unloader.isUnloaded(id)).toBe(true);
}

async function read(device: Welcomed, conversation: string) {
  const page = await device.request({ type: 'history', conversation, after: 0, limit: 100 }, 'history');
  return {
    seqs: page.messages.map(({ seq }) => seq),
    texts: page.messages.map((message) => JSON.stringify(message)),
    absent: page.absent,
  };
}

const api = async (user: string, method: string, path: string, body?: object) =>
  cluster.http(cluster.token(user), method, path, body);

async function pair() {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob'), { gateway: 2 }),
  ]);
  return { alice, bob, from: alice.welcome.user, to: bob.welcome.user };
}

describe('a direct conversation', () => {
  test('leaves a mark, is read as before, and goes on with the next seq, from either side', async () => {
    const { alice, bob, from, to } = await pair();
    await sendMany(alice, to, 3);
    const { conversation } = alice.all('accepted')[0]!.message;
    await cluster.settled();
    const before = await read(alice, conversation);
    const loaded = await unloader.held(conversation);
    await unload(conversation);
    // Who has written stays known beside the mark.
    expect(await unloader.held(conversation)).toEqual({
      epoch: `unloaded:${alice.welcome.epoch}:1`,
      seq: '3',
      wrote: '1',
    });

    expect(await read(bob, conversation)).toEqual(before);
    const { loadedAt, ...again } = await unloader.held(conversation);
    expect(again).toEqual({ ...loaded, name: '', skips: '' });
    expect(Math.abs(Number(loadedAt) - Date.now())).toBeLessThan(60_000);

    await unload(conversation);
    await sendMany(bob, from, 1, 'back');
    expect(bob.all('accepted')[0]!.message).toMatchObject({ conversation, seq: 4 });
    await alice.until('the answer', () =>
      alice.items.some(({ message }) => message.seq === 4 && message.sender === to),
    );
    await cluster.settled();
    expect(await read(alice, conversation)).toMatchObject({ seqs: [1, 2, 3, 4], absent: [] });
  });

  test('answers a repeated send with the first answer, and is not loaded for it', async () => {
    const { alice, to } = await pair();
    await sendMany(alice, to, 2);
    const first = alice.all('accepted')[1]!.message;
    await unload(first.conversation);
    const again = await alice.request({ type: 'send', clientId: 'm-1', to, kind: 'text', body: 1 }, 'accepted');
    expect(again).toMatchObject({ duplicate: true, message: first });
    expect(
      await alice.request({ type: 'send', clientId: 'm-1', to, kind: 'text', body: 'another' }, 'error'),
    ).toMatchObject({ code: 'conflict' });
    expect(await unloader.isUnloaded(first.conversation)).toBe(true);
  });

  test('takes many sends at once from two gateways, in order and without a hole', async () => {
    const { alice, bob, from, to } = await pair();
    await sendMany(alice, to, 1);
    const { conversation } = alice.all('accepted')[0]!.message;
    await unload(conversation);
    await Promise.all([sendMany(alice, to, 50, 'a'), sendMany(bob, from, 50, 'b')]);
    await cluster.settled();
    const { seqs, absent } = await read(alice, conversation);
    expect([seqs, absent]).toEqual([numbers(1, 100), []]);
    for (const device of [alice, bob]) {
      const accepted = device
        .all('accepted')
        .map(({ clientId, message }) => [clientId, message.seq] as const)
        .filter(([name]) => name !== 'm-0');
      expect(accepted.map(([, seq]) => seq)).toEqual(accepted.map(([, seq]) => seq).sort((one, other) => one - other));
      expect(accepted.map(([name]) => Number(name.slice(2)))).toEqual(numbers(0, 50));
    }
  });
});

describe('a group', () => {
  /** alice, bob and, since seq 3, carol; four messages, of which the second change makes the fifth. */
  async function group() {
    const { alice, bob, from, to } = await pair();
    const [id, carol] = [cluster.user('group'), cluster.user('carol')];
    expect((await api(from, 'POST', '/conversations', { id, members: [from, to], name: 'Tea' })).status).toBe(201);
    await sendMany(alice, { conversation: id }, 2);
    expect((await api(from, 'PUT', `/conversations/${id}/members/${carol}`)).status).toBe(204);
    await sendMany(bob, { conversation: id }, 1);
    expect((await api(to, 'DELETE', `/conversations/${id}/members/${to}`)).status).toBe(204);
    return { id, alice, bob, from, to, carol };
  }

  test('keeps members, spans and name', async () => {
    const { id, alice, bob, from, to, carol } = await group();
    await cluster.settled();
    const seen = async (user: string) => (await api(user, 'GET', `/conversations/${id}`)).body;
    const before = [await seen(from), await seen(carol), await read(alice, id), await read(bob, id)];
    await unload(id);
    const after = [await seen(from), await seen(carol), await read(alice, id), await read(bob, id)];
    expect(after).toEqual(before);
    expect(after[3]).toMatchObject({ seqs: [1, 2, 3, 4, 5] });
    await unload(id);
    expect((await api(to, 'GET', `/conversations/${id}`)).status).toBe(404);
    expect(
      await bob.request({ type: 'send', clientId: 'gone', conversation: id, kind: 'text', body: 1 }, 'error'),
    ).toMatchObject({ code: 'not_found' });
  });

  test.each<[string, (made: Awaited<ReturnType<typeof group>>) => Promise<void>]>([
    ['a send', async ({ id, alice }) => sendMany(alice, { conversation: id }, 1, 'next')],
    [
      'a join',
      async ({ id, from, to }) =>
        expect((await api(from, 'PUT', `/conversations/${id}/members/${to}`)).status).toBe(204),
    ],
    [
      'a leave',
      async ({ id, carol }) =>
        expect((await api(carol, 'DELETE', `/conversations/${id}/members/${carol}`)).status).toBe(204),
    ],
  ])('goes on at the next seq with %s', async (_, use) => {
    const made = await group();
    await unload(made.id);
    await use(made);
    await cluster.settled();
    const { seqs, absent } = await read(made.alice, made.id);
    expect([seqs, absent]).toEqual([numbers(1, 6), []]);
    await made.alice.until(
      'the sixth',
      () =>
        made.alice.items.some(({ message }) => message.seq === 6) ||
        made.alice.all('accepted').some(({ message }) => message.seq === 6),
    );
  });

  test('is renamed, and is the same when it is created again', async () => {
    const { id, from, to, carol } = await group();
    await unload(id);
    expect((await api(from, 'POST', '/conversations', { id, members: [carol] })).status).toBe(200);
    await unload(id);
    expect((await api(from, 'POST', '/conversations', { id, members: [to, carol] })).status).toBe(409);
    await unload(id);
    expect((await api(carol, 'PATCH', `/conversations/${id}`, { name: 'Coffee' })).status).toBe(200);
    await unload(id);
    expect((await api(from, 'GET', `/conversations/${id}`)).body).toMatchObject({
      name: 'Coffee',
      memberCount: 2,
      lastSeq: 5,
    });
  });

  test('that nobody has ever written to', async () => {
    const [alice, id] = [await cluster.connect(cluster.user('alice')), cluster.user('group')];
    expect((await api(alice.welcome.user, 'POST', '/conversations', { id, members: [] })).status).toBe(201);
    await unload(id);
    await sendMany(alice, { conversation: id }, 1);
    expect(alice.all('accepted')[0]!.message.seq).toBe(1);
  });
});

test('a large group goes on as one, with and without members online', async () => {
  const id = cluster.user('large');
  const users = ['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => cluster.user(name));
  const [from, to, absent] = users as [string, string, string];
  expect((await api(from, 'POST', '/conversations', { id, members: users })).status).toBe(201);
  await cluster.settled();
  const [alice, bob] = await Promise.all([cluster.connect(from), cluster.connect(to, { gateway: 2 })]);
  const seqsOf = (device: Welcomed) =>
    device.pushed
      .filter(({ message }) => message.conversation === id)
      .map(({ position, message }) => [position, message.seq]);
  await sendMany(alice, { conversation: id }, 2);
  await bob.until('both', () => seqsOf(bob).length === 2);
  const { large, at } = await unloader.held(id);
  expect([large, Number(at)]).toEqual(['0', expect.any(Number)]);
  await cluster.settled();
  // A gateway whose members are online looks after the group, and may load it at once.
  await unloader.walk();
  await sendMany(alice, { conversation: id }, 1, 'next');
  await bob.until('the third', () => seqsOf(bob).length === 3);
  expect(seqsOf(bob)).toEqual([
    [undefined, 1],
    [undefined, 2],
    [undefined, 3],
  ]);

  await Promise.all([alice.close(), bob.close()]);
  await unload(id);
  expect(await unloader.held(id)).toMatchObject({ epoch: `unloaded:${alice.welcome.epoch}:1`, seq: '3', large: '0' });
  const carol = await cluster.connect(absent);
  expect(await carol.find('gap')).toMatchObject({ position: 1, conversation: id, fromSeq: 1, toSeq: 3 });
  expect(await read(carol, id)).toMatchObject({ seqs: [1, 2, 3], absent: [] });
  const again = await cluster.connect(from);
  await sendMany(again, { conversation: id }, 1, 'last');
  await carol.until('the fourth', () => seqsOf(carol).length === 1);
  expect(seqsOf(carol)).toEqual([[undefined, 4]]);
  expect(await read(carol, id)).toMatchObject({ seqs: [1, 2, 3, 4], absent: [] });
});

test('days of its own leave with the rest, and come back', async () => {
  const { alice, to } = await pair();
  await sendMany(alice, to, 1);
  const { conversation } = alice.all('accepted')[0]!.message;
  const service = cluster.token('backend', { scope: 'service' });
  expect((await cluster.http(service, 'PATCH', `/conversations/${conversation}`, { historyDays: 40 })).status).toBe(
    200,
  );
  await unload(conversation);
  expect(await unloader.held(conversation)).toEqual({
    epoch: `unloaded:${alice.welcome.epoch}:2`,
    seq: '1',
    wrote: '1',
  });
  expect((await cluster.http(service, 'GET', `/conversations/${conversation}`)).body).toMatchObject({
    historyDays: 40,
  });
});

test('what is never to be unloaded stays', async () => {
  const { alice, to } = await pair();
  await sendMany(alice, to, 1);
  await cluster.settled();
  await cluster.redis.hdel(cluster.keys.compaction, 'unloadedTo');
  await unloader.job(unloader.store, Infinity);
  expect(await cluster.redis.hget(cluster.keys.compaction, 'unloadedTo')).toBe(null);
  expect(await unloader.isUnloaded(alice.all('accepted')[0]!.message.conversation)).toBe(false);
});

test('nobody is kept from connecting by unloaded conversations while history is away', async () => {
  const { alice, bob, from, to } = await pair();
  await bob.close();
  await sendMany(alice, to, 1);
  const { conversation } = alice.all('accepted')[0]!.message;
  await unload(conversation);
  const db = new DatabaseSync(join(cluster.dir, 'history.db'), { timeout: 5000 });
  try {
    db.exec('ALTER TABLE conversations RENAME TO away');
    const { welcome } = await cluster.connect(to);
    expect(welcome.unread).toMatchObject({ total: 1, conversations: [{ conversation, unread: 1, last: { seq: 1 } }] });
    expect(welcome.unread.conversations[0]).not.toHaveProperty('peer');
  } finally {
    db.exec('ALTER TABLE away RENAME TO conversations');
    db.close();
  }
  expect((await cluster.connect(to)).welcome.unread.conversations[0]).toMatchObject({ conversation, peer: from });
});

test('the jobs process unloads what is older than UNLOAD_AFTER_DAYS, and what is younger stays', async () => {
  await cluster.stop();
  await unloader.close();
  cluster = await startCluster({ env: { UNLOAD_AFTER_DAYS: '1' } });
  unloader = createUnloader(cluster);
  const alice = await cluster.connect('alice');
  for (const to of ['old', 'young', 'read']) await sendMany(alice, to, 2, to);
  const [old, young, loaded] = [0, 2, 4].map((i) => alice.all('accepted')[i]!.message.conversation);
  await cluster.settled();
  const { redis, keys } = cluster;
  const field = (id: string) => keys.conversation(keys.partitionOf(id), id);
  const db = new DatabaseSync(join(cluster.dir, 'history.db'), { timeout: 5000 });
  const days = 86_400_000;
  db.exec(
    `UPDATE conversations SET created_at = created_at - ${3 * days};
     UPDATE blocks SET last_at = last_at - ${2 * days} WHERE conversation <> '${young}'`,
  );
  for (const id of [old!, young!, loaded!]) await redis.hincrby(field(id), 'createdAt', -3 * days);
  db.close();
  await redis.hset(field(loaded!), 'loadedAt', Date.now());
  await cluster.start('jobs');
  // By itself it comes every 30 s, and walks on over the keys of every test: here it is asked for.
  const connection = redis.duplicate({ maxRetriesPerRequest: null });
  const queue = openQueue('compaction', connection, keys);
  await vi.waitFor(
    async () => {
      await queue.add('unload', {});
      expect(await unloader.isUnloaded(old!)).toBe(true);
    },
    { timeout: 40_000, interval: 100 },
  );
  await vi.waitFor(
    async () => {
      await queue.add('unload', {});
      expect(await redis.hget(keys.compaction, 'unloadedTo')).toBe('0');
    },
    { timeout: 40_000, interval: 100 },
  );
  await queue.close();
  connection.disconnect();
  expect(await unloader.isUnloaded(young!)).toBe(false);
  expect(await unloader.isUnloaded(loaded!)).toBe(false);
  expect(await cluster.metrics('jobs-1')).toMatch(/^restante_conversations_unloaded_total\{[^}]*\} 1$/m);
}, 90_000);
