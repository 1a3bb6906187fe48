import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createWatchedUsers } from '../../../gateway/presence/watched-users.ts';
import { createWatching } from '../../../gateway/presence/watching.ts';
import type { Connection } from '../../../gateway/socket/connection.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { monitorCommands } from '../../support/redis-monitor.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

/** What presence and typing cost. Each test prints its figure. `PRESENCE_WATCHERS` sets how many watch one user. */

const manyWatchers = Number(process.env['PRESENCE_WATCHERS'] ?? 1000);
let redis: RedisServer;
let cluster: Cluster;
beforeAll(async () => {
  redis = await startRedis();
  cluster = await startCluster({
    redisUrl: redis.url,
    gateways: 2,
    archive: false,
    env: { PRESENCE_OFFLINE_AFTER_MS: '200', MAX_UNAUTHENTICATED_PER_ADDRESS: '0' },
  });
});
afterAll(async () => {
  await cluster.stop();
  await redis.stop();
});

/**
 * The commands that clients sent to Redis while `work` ran and that `concern` some text; what scripts call is left out.
 */
async function commands(concern: readonly string[], work: () => Promise<void>): Promise<string[]> {
  const found: string[] = [];
  const seen = new Set<string>();
  const monitor = await monitorCommands(cluster.redis, ({ text, fromScript }) => {
    seen.add(text);
    if (!fromScript && concern.some((part) => text.includes(part))) found.push(text);
  });
  await work();
  await cluster.redis.echo('all of it');
  await vi.waitFor(() => expect([...seen].some((text) => /echo all of it/i.test(text))).toBe(true));
  monitor.disconnect();
  return found;
}

const rounds = 10;

/** Commands for one coming and going of a user, with so many watchers at the other gateway. */
async function perFlip(user: string, watchers: number): Promise<number> {
  const watching: Awaited<ReturnType<typeof openDevice>>[] = [];
  for (let i = 0; i < watchers; i += 100) {
    await Promise.all(
      Array.from({ length: Math.min(100, watchers - i) }, async (_, j) => {
        const device = await openDevice(cluster.url(1));
        // A service sees everybody, so it need not know the user.
        device.send({
          type: 'hello',
          token: cluster.token(`${user}-w${i + j}`, { scope: 'service' }),
          device: 'phone',
        });
        await device.find('welcome');
        await device.request({ type: 'presence', users: [user], watch: true }, 'presence');
        watching.push(device);
      }),
    );
  }
  const flips = (online: boolean) =>
    watching.map(
      (device) =>
        device.all('presence').filter(({ re, users }) => re === undefined && users[user]!.online === online).length,
    );
  const used = await commands([user], async () => {
    for (let round = 1; round <= rounds; round++) {
      const bob = await cluster.connect(user, { gateway: 2 });
      await vi.waitFor(() => expect(Math.min(...flips(true))).toBe(round), { timeout: 20_000 });
      await bob.close();
      await vi.waitFor(() => expect(Math.min(...flips(false))).toBe(round), { timeout: 20_000 });
    }
  });
  for (const { socket } of watching) socket.terminate();
  // What every hello and close costs, whether presence is told or not, is counted as well.
  // The renewals of the lease come with the time, and with nothing else.
  const isRenewal = (text: string): boolean => / 15000 \S*:presence:\d+ [01] [01]$/.test(text);
  return used.filter((text) => !text.includes(`${user}-w`) && !isRenewal(text)).length / rounds / 2;
}

test('a flip costs the same commands for one watcher and for many', { timeout: 180_000 }, async () => {
  const [one, many] = [await perFlip('flips-one', 1), await perFlip('flips-many', manyWatchers)];
  console.log(`presence: ${one} Redis commands per flip with 1 watcher, ${many} with ${manyWatchers}`);
  // The hellos of the watchers may have made their gateway look at the user again, which is no part of a flip.
  expect(many - one).toBeLessThan(0.3);
});

test('a watch costs a gateway at most 80 bytes', { timeout: 60_000 }, async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const [watchers, population, each] = [5000, 10_000, 200];
  const users = Array.from({ length: population }, (_, i) => `user-${i}`);
  const connections = Array.from({ length: watchers }, (_, i) => ({ i }) as unknown as Connection);
  const used = (): number => {
    collect();
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  const watched = createWatchedUsers(
    { follow: async () => undefined, unfollow: async () => undefined },
    (user) => Number(user.slice(5)) % 64,
    () => undefined,
  );
  const watching = createWatching(watched);
  for (const [i, watcher] of connections.entries()) {
    // As from a frame: a text of its own for each id.
    const ids = Array.from({ length: each }, (_, j) => users[(i * 37 + j * 53) % population]);
    const own = JSON.parse(JSON.stringify(ids)) as string[];
    watching.begin(watcher, own);
    await watching.follow(watcher, own, new Set(own));
  }
  const bytes = (used() - before) / watched.size;
  console.log(
    `presence: ${bytes.toFixed(1)} bytes of a gateway per watch, ${watched.size} watches of ${watched.users} users`,
  );
  expect(watched.size).toBe(watchers * each);
  expect(bytes).toBeLessThanOrEqual(80);
});

test.each([2, 16, 48])('typing in a conversation of %i members', { timeout: 60_000 }, async (size) => {
  const names = Array.from({ length: size }, (_, i) => `typing-${size}-${i}`);
  const service = cluster.token('backend', { scope: 'service' });
  const conversation = `typing-group-${size}`;
  expect((await cluster.http(service, 'POST', '/conversations', { id: conversation, members: names })).status).toBe(
    201,
  );
  const devices = await Promise.all(names.map((name, i) => cluster.connect(name, { gateway: (i % 2) + 1 })));
  await cluster.settled('inbox');
  const used = await commands([conversation], async () => {
    devices[0]!.send({ type: 'typing', conversation });
    await Promise.all(devices.slice(1).map((device) => device.find('typing')));
  });
  console.log(`typing: ${used.length} Redis commands for one frame to ${size} members on 2 gateways`);
  expect(used.length).toBeGreaterThan(0);
  expect(used.length).toBeLessThanOrEqual(2 + size / 16);
  expect(used.length).toBeLessThanOrEqual(2.1);
});
