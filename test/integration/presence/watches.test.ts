import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { sendTo } from '../../support/pair.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

/** Watches: one frame for each change that lasts, and none for what does not. */

const offlineAfterMs = 2000;
let redis: RedisServer;
let cluster: Cluster;
beforeAll(async () => {
  redis = await startRedis();
  cluster = await startCluster({
    redisUrl: redis.url,
    gateways: 3,
    fanout: false,
    archive: false,
    env: { PRESENCE_OFFLINE_AFTER_MS: String(offlineAfterMs) },
  });
});
afterAll(async () => {
  await cluster.stop();
  await redis.stop();
});

/** Alice at gateway 1 and bob at gateway 2, who have written to each other. */
async function watching(): Promise<{ alice: Welcomed; bob: Welcomed; b: string }> {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = await cluster.connect(cluster.user('bob'), { gateway: 2 });
  const [a, b] = [alice.welcome.user, bob.welcome.user];
  await alice.request(sendTo(b, 'hello', 1), 'accepted');
  await bob.request(sendTo(a, 'hello', 1), 'accepted');
  const { users } = await alice.request({ type: 'presence', users: [b], watch: true }, 'presence');
  expect(users[b]).toMatchObject({ online: true });
  return { alice, bob, b };
}

/** What the watcher was told without asking. */
const told = (device: Welcomed, user: string): boolean[] =>
  device
    .all('presence')
    .flatMap((frame) => (frame.re === undefined && user in frame.users ? [frame.users[user]!.online] : []));
const hears = (device: Welcomed, user: string, online: boolean, withinMs: number): Promise<unknown> =>
  device.until(`${user} ${online ? 'online' : 'offline'}`, () => told(device, user).at(-1) === online, withinMs);

test('offline comes once the wait is over, online at once', async () => {
  const { alice, bob, b } = await watching();
  await bob.close();
  const closedAt = Date.now();
  await hears(alice, b, false, offlineAfterMs + 3000);
  expect(Date.now() - closedAt).toBeGreaterThanOrEqual(offlineAfterMs - 100);
  const frame = alice.all('presence').at(-1)!;
  expect(Math.abs(frame.users[b]!.lastSeen! - closedAt)).toBeLessThan(2000);
  await cluster.connect(b, { gateway: 3 });
  await hears(alice, b, true, 1000);
  expect(told(alice, b)).toEqual([false, true]);
});

test('who reconnects again and again is never offline, also on other gateways', async () => {
  const { alice, bob, b } = await watching();
  let present = bob;
  for (const gateway of [1, 3, 2, 2, 1]) {
    await present.close();
    await pause(offlineAfterMs / 4);
    present = await cluster.connect(b, { gateway });
    await pause(offlineAfterMs / 4);
  }
  await pause(offlineAfterMs + 500);
  expect(told(alice, b)).not.toContain(false);
  await present.close();
  const closedAt = Date.now();
  await hears(alice, b, false, offlineAfterMs + 3000);
  expect(Date.now() - closedAt).toBeGreaterThanOrEqual(offlineAfterMs - 100);
  await pause(offlineAfterMs + 1000);
  expect(told(alice, b)).toEqual([false]);
});

test('a second device changes nothing, on the same gateway or another', async () => {
  const { alice, b } = await watching();
  for (const gateway of [2, 3]) {
    const second = await cluster.connect(b, { device: 'tablet', gateway });
    await second.close();
  }
  await pause(offlineAfterMs + 1000);
  expect(told(alice, b)).toEqual([]);
});

test('who asks during the wait hears offline, and then that the user is back', async () => {
  const { alice, bob, b } = await watching();
  await bob.close();
  await vi.waitFor(async () => {
    const { users } = await alice.request({ type: 'presence', users: [b] }, 'presence');
    expect(users[b]!.online).toBe(false);
  });
  await cluster.connect(b, { gateway: 3 });
  await hears(alice, b, true, 1000);
  expect(told(alice, b)).toEqual([true]);
});

test('a removed device leaves its user offline', async () => {
  const { alice, bob, b } = await watching();
  expect(await cluster.http(cluster.token(b), 'DELETE', '/devices/phone')).toMatchObject({ status: 204 });
  await bob.closed;
  await hears(alice, b, false, offlineAfterMs + 3000);
});

test('who hides its presence is offline for those who watch, once, and sees nobody', async () => {
  const { alice, bob, b } = await watching();
  const a = alice.welcome.user;
  await bob.request({ type: 'presence', users: [a], watch: true }, 'presence');
  const change = await cluster.http(cluster.token(b), 'PATCH', '/settings', { presence: 'nobody' });
  expect(change.status).toBe(200);
  await hears(alice, b, false, 2000);
  await hears(bob, a, false, 2000);
  const unseen = { online: false, lastSeen: null };
  expect(alice.all('presence').at(-1)!.users).toEqual({ [b]: unseen });
  expect((await alice.request({ type: 'presence', users: [b] }, 'presence')).users).toEqual({ [b]: unseen });
  expect((await bob.request({ type: 'presence', users: [a] }, 'presence')).users).toEqual({ [a]: unseen });
  await cluster.http(cluster.token(b), 'PATCH', '/settings', { presence: 'shared' });
  await Promise.all([hears(alice, b, true, 2000), hears(bob, a, true, 2000)]);
  expect(told(alice, b)).toEqual([false, true]);
});

test('a watch that is taken back, or whose connection ends, is over', async () => {
  const { alice, bob, b } = await watching();
  const laptop = await cluster.connect(alice.welcome.user, { device: 'laptop' });
  await laptop.request({ type: 'presence', users: [b], watch: true }, 'presence');
  const watches = async () =>
    Number(/^restante_presence_watches\{[^}]*\} (\d+)/m.exec(await cluster.metrics('web-1'))![1]);
  const before = await watches();
  await laptop.close();
  await vi.waitFor(async () => expect(await watches()).toBe(before - 1));
  await alice.request({ type: 'presence', users: [b], watch: false }, 'presence');
  await vi.waitFor(async () => expect(await watches()).toBe(before - 2));
  await bob.close();
  await pause(offlineAfterMs + 1000);
  expect(told(alice, b)).toEqual([]);
});

test('a device in mode pull is answered, and told nothing', async () => {
  const { alice, bob, b } = await watching();
  const pulling = await cluster.connect(alice.welcome.user, { device: 'laptop', mode: 'pull' });
  await pulling.request({ type: 'presence', users: [b], watch: true }, 'presence');
  await bob.close();
  await hears(alice, b, false, offlineAfterMs + 3000);
  await pulling.settle();
  expect(told(pulling, b)).toEqual([]);
});

test('news that a gateway missed while its subscription was broken are made good', async () => {
  const { alice, bob, b } = await watching();
  const channel = cluster.keys.presence(cluster.keys.shardOf(b));
  expect(await cluster.redis.pubsub('NUMSUB', channel)).toEqual([channel, 1]);
  await bob.close();
  // Longer than the holding gateway waits, so the news come while the watching one is cut off.
  for (const end = Date.now() + offlineAfterMs + 1000; Date.now() < end; await pause(5))
    await cluster.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await hears(alice, b, false, 15_000);
}, 40_000);

test('a gateway that is paused and goes on: who moved stays online, who did not is online again', async () => {
  const { alice, bob, b } = await watching();
  const stays = await cluster.connect(cluster.user('carol'), { gateway: 2 });
  const c = stays.welcome.user;
  await alice.request(sendTo(c, 'hello-c', 1), 'accepted');
  await stays.request(sendTo(alice.welcome.user, 'hello-c', 1), 'accepted');
  await alice.request({ type: 'presence', users: [c], watch: true }, 'presence');
  cluster.pause('web-2');
  try {
    const moved = await openDevice(cluster.url(3));
    moved.send({ type: 'hello', token: cluster.token(b), device: 'phone' });
    await moved.find('welcome');
    // The lease lapses after 15 s; the watching gateway waits 10 to 20 s more.
    await hears(alice, c, false, 45_000);
  } finally {
    cluster.resume('web-2');
  }
  await hears(alice, c, true, 20_000);
  await stays.settle();
  expect((await bob.closed).code).toBe(4409);
  await pause(offlineAfterMs + 500);
  expect(told(alice, b)).not.toContain(false);
}, 90_000);

test('a killed gateway: who comes back elsewhere stays online, who does not is offline within 45 s', async () => {
  const { alice, b } = await watching();
  const stays = await cluster.connect(cluster.user('carol'), { gateway: 2 });
  const c = stays.welcome.user;
  await alice.request(sendTo(c, 'hello-c', 1), 'accepted');
  await stays.request(sendTo(alice.welcome.user, 'hello-c', 1), 'accepted');
  await alice.request({ type: 'presence', users: [c], watch: true }, 'presence');
  await cluster.end('web-2', 'SIGKILL');
  const killedAt = Date.now();
  await pause(5000);
  await cluster.connect(b, { gateway: 3 });
  await hears(alice, c, false, 45_000 - (Date.now() - killedAt));
  expect(told(alice, b)).toEqual([]);
  await cluster.start('web-2');
}, 90_000);
