import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { groupOf, readAll, say } from '../../support/amending.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';
import { patiently } from '../../support/patiently.ts';

/**
 * A loss of Redis, and conversations that history does not know yet: the archive was away when they began. What came
 * back of them is delivered, read and written to, and nothing of it becomes a dead letter.
 */

vi.setConfig({ testTimeout: 120_000 });

let redis: DurableRedis;
let cluster: Cluster;
beforeEach(async () => {
  redis = await startDurableRedis();
  // So that messages wait for the fanout.
  cluster = await startCluster({ redisUrl: redis.url, env: { SHORT_WAY: '0' } });
  cluster.redis.on('error', () => undefined);
  await cluster.end('archive-1');
  await cluster.end('fanout-1');
});
afterEach(async () => {
  await cluster.stop();
  await redis.stop();
});

/** Bob gets a message after a copy of Redis was made, and then Redis comes back as it was at the copy. */
async function lost(bob: string): Promise<void> {
  const restore = await redis.copy();
  await cluster.start('fanout-1');
  const witness = await cluster.connect(bob, { device: 'witness' });
  await witness.until('the message', () => witness.pushed.length > 0 || witness.gaps.length > 0);
  await cluster.end('fanout-1');
  await redis.kill();
  await restore();
  await redis.start();
}

async function expectWhole(from: string, bob: string, conversation: string, target: object): Promise<void> {
  const device = await patiently(cluster, bob, { device: 'waiting' });
  await cluster.start('fanout-1');
  await device.until('the message', () => device.pushed.length > 0 || device.gaps.length > 0);
  await readAll(device, { conversation });
  expect(device.texts.join()).toContain('before');
  const alice = await patiently(cluster, from, { device: 'more' });
  const after = await say(alice, target, 'after');
  await device.until('the next message', () => device.pushed.some(({ message }) => message.body === 'after'));
  await cluster.start('archive-1');
  await cluster.settled();
  const { messages } = await device.request({ type: 'history', conversation }, 'history');
  expect(messages.map(({ seq, body }) => [seq, body])).toEqual([
    [after, 'after'],
    [1, 'before'],
  ]);
  expect(await cluster.redis.hlen(cluster.keys.deadLetters.letters)).toBe(0);
}

test('a group is what it was', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = cluster.user('bob');
  const conversation = await groupOf(cluster, alice.welcome.user, bob);
  await say(alice, { conversation }, 'before');
  await lost(bob);
  await expectWhole(alice.welcome.user, bob, conversation, { conversation });
  const found = await cluster.http(cluster.token(bob), 'GET', `/conversations/${conversation}`);
  expect(found).toMatchObject({ status: 200, body: { kind: 'group' } });
  expect((found.body as { members: { user: string }[] }).members.map(({ user }) => user).toSorted()).toEqual(
    [alice.welcome.user, bob].toSorted(),
  );
});

test('a direct conversation is read before the archive has stored it', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = cluster.user('bob');
  await say(alice, { to: bob }, 'before');
  const { conversation } = alice.all('accepted')[0]!.message;
  await lost(bob);
  await expectWhole(alice.welcome.user, bob, conversation, { to: bob });
});

test('a large group is what it was', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = cluster.user('bob');
  const others = Array.from({ length: 5000 }, (_, i) => cluster.user(`member-${i}`));
  const conversation = await groupOf(cluster, alice.welcome.user, bob, ...others);
  await say(alice, { conversation }, 'before');
  await lost(bob);
  await Promise.all(['fanout-1', 'archive-1'].map((name) => cluster.start(name)));
  const again = await patiently(cluster, alice.welcome.user, { device: 'more' });
  await say(again, { conversation }, 'after');
  await cluster.settled();
  const device = await patiently(cluster, bob, { device: 'later' });
  await readAll(device, { conversation });
  expect(device.texts.join()).toMatch(/"before".*"after"|"after".*"before"/);
  expect(await cluster.redis.hlen(cluster.keys.deadLetters.letters)).toBe(0);
  const view = await cluster.http(cluster.token(bob), 'GET', `/conversations/${conversation}`);
  expect(view).toMatchObject({ status: 200, body: { memberCount: others.length + 2 } });
});
