import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createDeadLetters } from '../../../shared/redis/dead-letters.ts';
import { startCluster as startLocalCluster } from '../../../tools/harness/local-cluster.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ jobs: true });
});
afterAll(() => cluster.stop());

/** The values of a series by its labels but `role`. */
async function series(process: string, name: string): Promise<Map<string, number>> {
  const lines = (await cluster.metrics(process))
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return new Map(
    lines.map((line) => {
      const [, labels = '', value] = /^\w+(?:\{(.*)\})? (\S+)$/.exec(line)!;
      return [
        labels
          .split(',')
          .filter((label) => !label.startsWith('role='))
          .toSorted()
          .join(','),
        Number(value),
      ];
    }),
  );
}

test('sends and deliveries are timed, and connections and their queues measured', async () => {
  const [alice, bob] = [await cluster.connect('alice'), await cluster.connect('bob')];
  await sendMany(alice, 'bob', 64);
  await bob.until('all', () => bob.items.length === 64);
  expect((await series('web-1', 'restante_accept_seconds_count')).get('')).toBe(8);
  const deliveries = (await series('web-1', 'restante_deliver_seconds_count')).get('')!;
  expect(deliveries).toBeGreaterThanOrEqual(4);
  expect((await series('web-1', 'restante_deliver_seconds_sum')).get('')! / deliveries).toBeLessThan(5);
  expect((await series('web-1', 'restante_connections')).get('')).toBe(2);
  expect((await series('web-1', 'restante_queued_bytes')).get('')).toBe(0);
});

test('connections are counted by the names of their clients, at most 20 of them', async () => {
  const all = await Promise.all(
    Array.from({ length: 25 }, (_, i) =>
      cluster.connect(cluster.user('client'), { client: i < 4 ? 'common/1' : `rare "${i}" \\` }),
    ),
  );
  const clients = await series('web-1', 'restante_clients');
  expect(clients.size).toBe(21);
  expect(clients.get('client="common/1"')).toBe(4);
  expect(clients.get('client="other"')).toBe(2);
  await Promise.all(all.map((device) => device.close()));
  await vi.waitFor(async () => expect((await series('web-1', 'restante_clients')).size).toBe(0), 15_000);
});

test('jobs measures the deployment: lag of groups, dead letters, queues, Redis', async () => {
  await cluster.settled();
  await cluster.end('archive');
  await sendMany(await cluster.connect('carol'), 'dora', 5);
  await cluster.settled('inbox');
  const lag = await series('jobs-1', 'restante_group_lag');
  expect(lag.size).toBe(8);
  // The messages, and the entry that makes their conversation.
  const sum = (group: string) =>
    [...lag].filter(([labels]) => labels.includes(`group="${group}"`)).reduce((all, [, value]) => all + value, 0);
  expect([sum('inbox'), sum('history')]).toEqual([0, 6]);
  await cluster.start('archive');
  await cluster.settled();
  await vi.waitFor(
    async () =>
      expect([...(await series('jobs-1', 'restante_group_lag')).values()].every((value) => value === 0)).toBe(true),
    15_000,
  );

  await createDeadLetters(cluster.redis, cluster.keys).add({
    id: 'x',
    reason: 'poison',
    at: 1,
    attempts: 1,
    error: 'x',
    subject: {},
  });
  const dead = await series('jobs-1', 'restante_dead_letters');
  expect([dead.get('reason="poison"'), dead.get('reason="undelivered"')]).toEqual([1, 0]);
  expect((await series('jobs-1', 'restante_queue_jobs')).get('queue="delivery",state="active"')).toBe(0);
  expect((await series('jobs-1', 'restante_redis_bytes')).get('what="used"')).toBeGreaterThan(0);
});

test('a scrape is answered while Redis is away, without what it alone knows', async () => {
  const lonely = await startLocalCluster({ fanout: 0, archive: 0, jobs: 1 });
  try {
    const scrape = async () =>
      (await fetch(`http://127.0.0.1:${lonely.port('jobs-1')}/metrics`, { signal: AbortSignal.timeout(5000) })).text();
    expect(await scrape()).toContain('restante_queue_jobs{');
    await lonely.kill('redis');
    const text = await scrape();
    expect(text).toContain('restante_process_resident_memory_bytes');
    expect(text).not.toContain('restante_queue_jobs{');
  } finally {
    await lonely.stop();
  }
});

test("every name begins with the project's, on every process", async () => {
  for (const name of ['web-1', 'fanout-1', 'archive-1', 'jobs-1']) {
    const names = (await cluster.metrics(name))
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => /^\w+/.exec(line)![0]);
    expect(names.filter((one) => !one.startsWith('restante_'))).toEqual([]);
    expect(names.length).toBeGreaterThan(20);
  }
});
