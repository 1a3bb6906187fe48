import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openQueue } from '../../shared/jobs/queues.ts';
import { addRedeliveries, type RedeliveryJob } from '../../shared/jobs/redelivery-queue.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

/** What many devices that receive nothing cost in Redis, as long as their deliveries are tried again. */

const devices = 50_000;
const mostBytes = 60_000_000;

/** Of its own: its memory is measured, and another file may run at the same time. */
let server: RedisServer;
let cluster: Cluster;
beforeAll(async () => {
  server = await startRedis();
  cluster = await startCluster({ fanout: false, archive: false, redisUrl: server.url });
});
afterAll(async () => {
  await cluster.stop();
  await server.stop();
});

const users = Array.from({ length: devices }, (_, i) => `user_${String(i).padStart(8, '0')}`);

async function usedBytes(): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await cluster.redis.info('memory'))![1]);
}

test('50,000 devices that receive nothing cost less than 60 MB while they are pushed to again', async () => {
  const { redis, keys } = cluster;
  for (let i = 0; i < devices; i += 1000) {
    const pipeline = redis.pipeline();
    for (const user of users.slice(i, i + 1000)) {
      pipeline.hset(keys.user(user), { epoch: 'e', head: 5, routes: 'nowhere 1 phone' });
      pipeline.hset(keys.devices(user), 'phone', '0 0');
    }
    await pipeline.exec();
  }
  const connection = redis.duplicate({ maxRetriesPerRequest: null });
  const queue = openQueue('delivery', connection, keys);
  try {
    const before = await usedBytes();
    let most = 0;
    const look = async () => (most = Math.max(most, (await usedBytes()) - before));
    const deliveries = users.map((user): RedeliveryJob => [user, 'phone', 5]);
    for (let i = 0; i < devices; i += 500) await addRedeliveries(queue, deliveries.slice(i, i + 500));
    await look();
    await cluster.start('jobs-1');
    const triedTimes = async (times: number): Promise<number> => {
      const found = new RegExp(`restante_deliveries_total\\{[^}]*attempt_${times}[^}]*\\} (\\d+)`);
      return Number(found.exec(await cluster.metrics('jobs-1'))?.[1] ?? 0);
    };
    // Every device was tried once and waits for its next attempt; many have had theirs.
    await vi.waitFor(
      async () => {
        await look();
        expect(await triedTimes(1)).toBe(devices);
      },
      { timeout: 240_000, interval: 250 },
    );
    const tried = await triedTimes(2);
    process.stdout.write(`${devices} deliveries: ${(most / 1e6).toFixed(1)} MB at most, ${tried} tried twice\n`);
    const { delayed, waiting, active } = await queue.getJobCounts('delayed', 'waiting', 'active');
    expect(delayed! + waiting! + active!).toBeGreaterThan(devices * 0.9);
    expect(most).toBeLessThan(mostBytes);
  } finally {
    await queue.close();
    connection.disconnect();
  }
}, 300_000);
