import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';
import { patiently, sendPatiently } from '../../support/patiently.ts';
import { sendMany } from '../../support/sending.ts';

/** A loss that concerns one partition: only its numbers jump, but every user is loaded from history once. */

const jump = 1_000_000;

let redis: DurableRedis;
let cluster: Cluster;
let alice: Welcomed;
beforeEach(async () => {
  redis = await startDurableRedis();
  cluster = await startCluster({ redisUrl: redis.url });
  cluster.redis.on('error', () => undefined);
  alice = await cluster.connect('alice');
});
afterEach(async () => {
  await cluster.stop();
  await redis.stop();
});

const partitionWith = (user: string): number => cluster.keys.partitionOf(directConversation('alice', user));

/** Keeps the fanout from a partition until the test ends it: another owner holds its lease. */
async function withoutFanout(partition: number): Promise<() => void> {
  const take = (): void =>
    void cluster.redis.set(cluster.keys.lease(partition, 'inbox'), 'another', 'PX', 4000).catch(() => undefined);
  take();
  const taking = setInterval(take, 200);
  const isReleased = async (): Promise<boolean> =>
    (await cluster.log('fanout-1')).some(
      (line) => line.event === 'partition_released' && line['partition'] === partition,
    );
  await vi.waitFor(async () => expect(await isReleased()).toBe(true), { timeout: 15_000, interval: 100 });
  return () => clearInterval(taking);
}

/** All that a partition had is gone when Redis comes back. */
async function lose(partition: number): Promise<void> {
  const gone = await cluster.redis.keys(`${cluster.keys.partitionBase(partition)}*`);
  await cluster.redis.del(gone);
  await redis.kill();
  await redis.start();
}

test('seqs of other partitions are dense, positions do not jump, and no message is missing in silence', async () => {
  const bob = 'bob';
  const lost = partitionWith(bob);
  const carol = ['carol', 'dave', 'erin', 'frank', 'grace'].find((user) => partitionWith(user) !== lost)!;
  await sendMany(alice, bob, 2, 'bob');
  await sendMany(alice, carol, 2, 'carol');
  await cluster.settled();
  const letFanout = await withoutFanout(lost);
  // Accepted and archived, in no inbox (a text of this length waits for the fanout), and lost with its stream.
  await sendMany(alice, bob, 1, 'unseen', () => 'x'.repeat(10_000));
  await cluster.settled('history');
  await lose(lost);
  letFanout();

  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch, position: 5 });
  expect(again.welcome).toMatchObject({ reset: true, lostSince: expect.any(Number) });
  const { epoch } = again.welcome;
  expect(epoch).not.toBe(alice.welcome.epoch);

  const conversation = directConversation('alice', bob);
  const his = await patiently(cluster, bob, { epoch: alice.welcome.epoch, position: 2 });
  expect(his.welcome).toMatchObject({ reset: true, epoch });
  await his.until('two items', () => his.items.length === 2);
  his.received(2);
  await his.until('the gap', () => his.gaps.some((gap) => gap.conversation === conversation && gap.fromSeq === 3));
  expect(his.gaps.every(({ position }) => position < 10)).toBe(true);
  expect(his.items.map(({ message: { seq } }) => seq)).toEqual([1, 2]);

  const hers = await patiently(cluster, carol, { epoch: alice.welcome.epoch, position: 2 });
  expect(hers.welcome).toMatchObject({ reset: true, epoch });
  for (const user of ['alice', bob, carol])
    expect(await cluster.redis.hget(cluster.keys.user(user), 'loaded')).toBe(epoch);

  expect((await sendPatiently(again, 'next-carol', { to: carol })).message.seq).toBe(3);
  expect((await sendPatiently(again, 'next-bob', { to: bob })).message.seq).toBeGreaterThan(jump);
  await hers.until('the third', () => hers.items.length === 3);
  expect(hers.items.map(({ position }) => position)).toEqual([1, 2, 3]);
  expect(hers.gaps).toEqual([]);
  await his.until('the next', () => his.items.length === 3);
});

test('two losses of different partitions: each begins its numbers above its own, once', async () => {
  const bob = 'bob';
  const first = partitionWith(bob);
  const carol = ['carol', 'dave', 'erin', 'frank', 'grace'].find((user) => partitionWith(user) !== first)!;
  const seqOf = async (clientId: string, user: string, epoch: string): Promise<number> => {
    const device = await patiently(cluster, 'alice', { epoch });
    return (await sendPatiently(device, clientId, { to: user })).message.seq;
  };
  await sendMany(alice, bob, 2, 'bob');
  await sendMany(alice, carol, 2, 'carol');
  await cluster.settled();
  await lose(first);
  const second = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch });
  expect(await seqOf('b1', bob, second.welcome.epoch)).toBe(jump + 3);
  expect(await seqOf('c1', carol, second.welcome.epoch)).toBe(3);
  await cluster.settled();
  await lose(partitionWith(carol));
  const third = await patiently(cluster, 'alice', { epoch: second.welcome.epoch });
  expect(third.welcome).toMatchObject({ reset: true });
  expect(await seqOf('b2', bob, third.welcome.epoch)).toBe(jump + 4);
  expect(await seqOf('c2', carol, third.welcome.epoch)).toBe(2 * jump + 4);
});

test('slots of an earlier version, which had no lines, go on as they are', async () => {
  await sendMany(alice, 'bob', 2);
  await cluster.settled();
  const { keys } = cluster;
  const slots = [
    ...Array.from({ length: keys.partitions }, (_, number) => keys.partitionSlot(number)),
    ...Array.from({ length: keys.inboxShards }, (_, number) => keys.shardSlot(number)),
  ];
  // After a loss there, all users had to be loaded.
  for (const slot of slots) await cluster.redis.hset(slot, 'complete', '0');
  await cluster.redis.hset(keys.user('bob'), 'loaded', alice.welcome.epoch);
  for (const slot of slots) await cluster.redis.hdel(slot, 'line', 'open');
  expect((await sendPatiently(alice, 'next', { to: 'bob' })).message.seq).toBe(3);
  for (const slot of slots) expect(await cluster.redis.hget(slot, 'line')).toBe(alice.welcome.epoch);
  const bob = await patiently(cluster, 'bob');
  await bob.until('all', () => bob.items.length === 3);
  expect(bob.gaps).toEqual([]);
  expect(await cluster.redis.hget(keys.user('carol'), 'loaded')).toBeNull();
  await patiently(cluster, 'carol');
  expect(await cluster.redis.hget(keys.user('carol'), 'loaded')).toBe(alice.welcome.epoch);
});
