import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ jobs: true });
});
afterAll(() => cluster.stop());

const keysOf = (queue: string) => cluster.redis.keys(`${cluster.prefix}:{${queue}}:*`);

test('every queue of the jobs process does its canary job', async () => {
  for (const queue of ['compaction', 'dead-letter']) {
    await cluster.redis.del(cluster.keys.canary(queue));
    await vi.waitFor(async () => expect(await cluster.redis.exists(cluster.keys.canary(queue))).toBe(1), { timeout: 15_000, interval: 100 });
  }
});

test('schedules that Redis has forgotten are made again', async () => {
  for (const key of await keysOf('compaction')) await cluster.redis.del(key);
  await cluster.redis.del(cluster.keys.canary('compaction'));
  // The mark comes back only when a job of the new schedule was done.
  await vi.waitFor(async () => expect(await cluster.redis.exists(cluster.keys.canary('compaction'))).toBe(1), { timeout: 20_000, interval: 100 });
  expect((await keysOf('compaction')).length).toBeGreaterThan(0);
});
