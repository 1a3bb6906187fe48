import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Cluster, type ClusterOptions, type Line, startCluster, type Welcomed } from '../../support/cluster.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';
import { patiently } from '../../support/patiently.ts';
import { sendMany } from '../../support/sending.ts';

/** What happens when Redis ends and comes back, as it was or older. */

let redis: DurableRedis;
let cluster: Cluster;
let lines: Line[];
async function begin(options: ClusterOptions = {}): Promise<void> {
  lines = (['web', 'fanout', 'archive'] as const).filter((line) => line === 'web' || options[line] !== false);
  cluster = await startCluster({ ...options, redisUrl: redis.url });
  // It is away for a while: that is what is tried here.
  cluster.redis.on('error', () => undefined);
}
beforeEach(async () => {
  redis = await startDurableRedis();
});
afterEach(async () => {
  redis.resume();
  await cluster.stop();
  await redis.stop();
});

async function losses(): Promise<unknown[]> {
  const logs = await Promise.all(lines.map((line) => cluster.log(line)));
  return logs.flat().filter(({ event }) => event === 'state_lost');
}

/** Asks until it is answered otherwise than with 503. Resolves with the status. */
async function insist(method: string, path: string, body?: object): Promise<number> {
  for (;;) {
    const { status } = await cluster.http(cluster.token('alice'), method, path, body);
    if (status !== 503 && status !== 504) return status;
  }
}

const post = (clientId: string, to: object): Promise<number> =>
  insist('POST', '/messages', { clientId, ...to, kind: 'text', body: clientId });

const seqsOf = async (device: Welcomed, conversation: string): Promise<[number, string][]> =>
  (await device.request({ type: 'history', conversation, limit: 100 }, 'history')).messages.map(({ seq, id }) => [
    seq,
    id,
  ]);

test('as it was: no loss, the epoch stays, and sends are accepted again soon', async () => {
  await begin({ gateways: 2 });
  const alice = await cluster.connect('alice');
  await sendMany(alice, 'bob', 3);
  await redis.kill();
  await redis.start();
  expect(await post('after', { to: 'bob' })).toBe(201);
  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch, gateway: 2 });
  expect(again.welcome).toMatchObject({ epoch: alice.welcome.epoch });
  expect(await losses()).toEqual([]);
});

test('older than history, asked for a join first: the loss is found, and no seq is given twice', async () => {
  await begin();
  const alice = await cluster.connect('alice');
  expect(await insist('POST', '/conversations', { id: 'group-1', members: ['alice'] })).toBe(201);
  await sendMany(alice, { conversation: 'group-1' }, 1);
  await cluster.settled();
  const putBack = await redis.copy();
  expect(await insist('PUT', '/conversations/group-1/members/bob')).toBe(204);
  await cluster.settled();
  const before = await seqsOf(alice, 'group-1');
  await redis.kill();
  await putBack();
  await redis.start();
  expect(await insist('PUT', '/conversations/group-1/members/carol')).toBe(204);
  expect(await losses()).toMatchObject([{ generation: 1 }]);
  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch });
  expect(again.welcome.reset).toBe(true);
  const after = await seqsOf(again, 'group-1');
  expect(after.slice(1)).toEqual(before);
  expect(after[0]![0]).toBeGreaterThan(1_000_000);
  const { body } = await cluster.http(cluster.token('alice'), 'GET', '/conversations/group-1/members');
  expect((body as { members: { user: string }[] }).members.map(({ user }) => user)).toEqual(['alice', 'bob', 'carol']);
});

test('nothing at all is written into it before it was compared', async () => {
  await begin();
  const alice = await cluster.connect('alice');
  await sendMany(alice, 'bob', 3);
  const bob = await cluster.connect('bob');
  await bob.until('all', () => bob.items.length === 3);
  bob.received(1);
  await bob.settle();
  await cluster.settled();
  const conversation = alice.all('accepted')[0]!.message.conversation;
  // Somebody else holds the lock, and still does when Redis is back.
  await cluster.redis.set(cluster.keys.deploymentLock, 'another', 'PX', 5000);
  await redis.kill();
  await redis.start();
  const state = async (): Promise<unknown[]> => {
    const found = [];
    for (const key of (await cluster.redis.keys(`${cluster.prefix}:*`)).sort()) {
      // Leases expire by themselves, and what a process says of itself is for people.
      if ((await cluster.redis.type(key)) === 'hash' && key !== cluster.keys.processes)
        found.push([key, await cluster.redis.hgetall(key)]);
      if (key.endsWith(':messages')) found.push([key, await cluster.redis.xrange(key, '-', '+')]);
    }
    return found;
  };
  await vi.waitFor(() => cluster.redis.ping(), 15_000);
  const before = await state();
  const asked = await Promise.all([
    cluster.http(cluster.token('bob'), 'POST', '/inbox/received', { device: 'phone', position: 3 }),
    cluster.http(cluster.token('bob'), 'PUT', `/conversations/${conversation}/read`, { seq: 3 }),
    cluster.http(cluster.token('bob'), 'GET', '/inbox?limit=1'),
    cluster.http(cluster.token('bob'), 'DELETE', '/devices/phone'),
    cluster.http(cluster.token('alice'), 'POST', '/messages', { clientId: 'x', to: 'bob', kind: 'text', body: 1 }),
    cluster.http(cluster.token('alice'), 'POST', '/conversations', { id: 'group-1', members: ['alice'] }),
  ]);
  expect(asked.map(({ status }) => status)).toEqual([503, 503, 503, 503, 503, 503]);
  expect(await cluster.redis.get(cluster.keys.deploymentLock)).toBe('another');
  expect(await state()).toEqual(before);
  expect(await post('x', { to: 'bob' })).toBe(201);
  expect(await losses()).toEqual([]);
});

test('silent for a while, whatever process starts or compares meanwhile: that is no loss', async () => {
  await begin();
  const alice = await cluster.connect('alice');
  await sendMany(alice, 'bob', 1);
  await cluster.settled();
  const ended = cluster.end('fanout', 'SIGKILL');
  redis.pause();
  await ended;
  const started = cluster.start('fanout');
  // Time itself is tested: a silence longer than a command may take.
  await pause(2500);
  redis.resume();
  await started;
  expect(await post('after', { to: 'bob' })).toBe(201);
  expect((await cluster.connect('alice', { device: 'other' })).welcome.epoch).toBe(alice.welcome.epoch);
  expect(await losses()).toEqual([]);
});

test('older than what devices were told, and not than history: what comes next is not taken for what was', async () => {
  await begin({ archive: false });
  const [alice, bob] = await Promise.all([cluster.connect('alice'), cluster.connect('bob')]);
  await sendMany(alice, 'bob', 1, 'kept');
  await bob.until('the first', () => bob.items.length === 1);
  await cluster.settled('inbox');
  const putBack = await redis.copy();
  await sendMany(alice, 'bob', 3, 'lost');
  await bob.until('all of them', () => bob.items.length === 4);
  bob.received(4);
  await redis.kill();
  await putBack();
  await redis.start();
  const closed = await bob.closed;
  expect(closed).toMatchObject({ code: 1012 });
  const again = await patiently(cluster, 'bob', { epoch: bob.welcome.epoch, position: 4 });
  expect(again.welcome.reset).toBe(true);
  expect(await losses()).toMatchObject([{ generation: 1, reason: expect.stringContaining('has seen') }]);
  expect(await post('new', { to: 'bob' })).toBe(201);
  await again.until('the new one', () => again.items.some(({ message }) => message.body === 'new'));
});

test('wiped under many processes: that is one loss', async () => {
  await begin({ gateways: 2 });
  const alice = await cluster.connect('alice');
  await sendMany(alice, 'bob', 2);
  await cluster.settled();
  await cluster.redis.flushall();
  expect(await post('after', { to: 'bob' })).toBe(201);
  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch, gateway: 2 });
  expect(again.welcome.reset).toBe(true);
  await cluster.settled();
  expect(await losses()).toMatchObject([{ generation: 1 }]);
  // Answers that had said `closed` have not caused another opening.
  expect(await cluster.redis.hmget(cluster.keys.deployment, 'generation', 'gate')).toEqual(['1', '2']);
});

test('after a restart it has a new file, without the torn end of a transaction', async () => {
  await begin();
  const alice = await cluster.connect('alice');
  await sendMany(alice, 'bob', 1);
  await cluster.settled();
  const rewrites = async (): Promise<number> =>
    Number(/aof_rewrites:(\d+)/.exec(await cluster.redis.info('persistence'))![1]);
  await redis.kill();
  await redis.start();
  expect(await post('after', { to: 'bob' })).toBe(201);
  await vi.waitFor(async () => expect(await rewrites()).toBeGreaterThan(0), { timeout: 15_000 });
});
