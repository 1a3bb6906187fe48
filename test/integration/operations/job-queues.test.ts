import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { openQueue } from '../../../shared/jobs/queues.ts';
import { requestReplay } from '../../../shared/jobs/replay-requests.ts';
import { createDeadLetters, type DeadLetterPage } from '../../../shared/redis/dead-letters.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ jobs: true });
});
afterAll(() => cluster.stop());

/** The open dead letters of one job: other tests have theirs in the same deployment. */
async function lettersOf(jobId: string): Promise<DeadLetterPage['deadLetters']> {
  const { deadLetters } = await createDeadLetters(cluster.redis, cluster.keys).list({
    reason: 'job_failed',
    limit: 10,
  });
  return deadLetters.filter(({ subject }) => subject['jobId'] === jobId);
}

const keysOf = (queue: string) => cluster.redis.keys(`${cluster.prefix}:{${queue}}:*`);

test('every queue of the jobs process does its canary job', async () => {
  const canaries = ['compaction', 'dead-letter', 'delivery'].map(cluster.keys.canary);
  await cluster.redis.del(...canaries);
  await vi.waitFor(async () => expect(await cluster.redis.exists(...canaries)).toBe(canaries.length), {
    timeout: 15_000,
    interval: 100,
  });
});

// Failed jobs are looked for every 10 s, so the tests from here on wait at the same time.
test.concurrent('schedules that Redis has forgotten are made again', async () => {
  for (const key of await keysOf('compaction')) await cluster.redis.del(key);
  await cluster.redis.del(cluster.keys.canary('compaction'));
  // The mark comes back only when a job of the new schedule was done.
  await vi.waitFor(async () => expect(await cluster.redis.exists(cluster.keys.canary('compaction'))).toBe(1), {
    timeout: 20_000,
    interval: 100,
  });
  expect((await keysOf('compaction')).length).toBeGreaterThan(0);
});

test.concurrent('a failed turn of a job that comes by itself leaves the queue and no dead letter', async () => {
  const { redis, keys } = cluster;
  const connection = redis.duplicate({ maxRetriesPerRequest: null });
  const delivery = openQueue('delivery', connection, keys);
  try {
    // Nothing that this version knows: no attempt can read it.
    const turn = await delivery.upsertJobScheduler(
      'broken',
      { every: 3_600_000 },
      { name: 'push', data: null, opts: { attempts: 1 } },
    );
    await vi.waitFor(async () => expect(await delivery.getJobState(turn.id!)).toBe('failed'), {
      timeout: 10_000,
      interval: 20,
    });
    await vi.waitFor(async () => expect(await delivery.getJobState(turn.id!)).toBe('unknown'), {
      timeout: 15_000,
      interval: 100,
    });
    expect(await lettersOf(turn.id!)).toEqual([]);
  } finally {
    await delivery.removeJobScheduler('broken');
    await delivery.close();
    connection.disconnect();
  }
}, 30_000);

test.concurrent('a job that failed for good becomes one dead letter, and its replay queues it again', async () => {
  const { redis, keys } = cluster;
  const connection = redis.duplicate({ maxRetriesPerRequest: null });
  const [delivery, replays] = [openQueue('delivery', connection, keys), openQueue('dead-letter', connection, keys)];
  const deadLetters = createDeadLetters(redis, keys);
  const found = () => lettersOf('d.broken');
  try {
    // Nothing that this version knows: no attempt can read it.
    await delivery.add('push', null, { jobId: 'd.broken', attempts: 2, backoff: { type: 'fixed', delay: 10 } });
    const [letter] = await vi.waitFor(
      async () => {
        const letters = await found();
        expect(letters).toHaveLength(1);
        return letters;
      },
      { timeout: 15_000, interval: 100 },
    );
    expect(letter).toMatchObject({
      attempts: 2,
      subject: { queue: 'delivery', job: 'push', jobId: 'd.broken' },
      content: 'null',
    });
    await vi.waitFor(async () => expect(await delivery.getJob('d.broken')).toBeUndefined(), {
      timeout: 15_000,
      interval: 20,
    });

    expect(await requestReplay(replays, deadLetters, letter!.id)).toBe('requested');
    await vi.waitFor(
      async () =>
        expect((await deadLetters.find(letter!.id))?.replayed).toMatchObject({ effect: 'put into the queue again' }),
      {
        timeout: 15_000,
        interval: 20,
      },
    );
    // It fails again, and is open again.
    await vi.waitFor(async () => expect(await found()).toMatchObject([{ id: letter!.id, attempts: 3 }]), {
      timeout: 30_000,
      interval: 100,
    });
  } finally {
    await Promise.all([delivery.close(), replays.close()]);
    connection.disconnect();
  }
}, 60_000);
