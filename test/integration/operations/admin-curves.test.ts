import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createKeys } from '../../../shared/redis/keys.ts';
import { redisMs } from '../../../shared/redis/redis-time.ts';
import { createSamples, type Sample, sampleEveryMs } from '../../../shared/redis/samples.ts';
import { createSampling } from '../../../workers/jobs/sampling.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { connectRedis } from '../../support/redis-connection.ts';
import { startRedis } from '../../support/redis-server.ts';
import { sendMany } from '../../support/sending.ts';

/** What the curves of the admin page are drawn from. */

const sampleAt = (at: number, acceptedPerS = 1): Sample => ({
  at,
  connections: 2,
  acceptedPerS,
  pushedPerS: 1,
  acceptP50Ms: 1,
  acceptP99Ms: 2,
  deliverP50Ms: null,
  deliverP99Ms: null,
  redisBytes: 1e6,
  lag: { inbox: [0, 0, 0, 0], history: [0, 0, 0, 12] },
  surge: ['calm', 'calm', 'rising', 'surge'],
});

describe('the ring of samples', () => {
  const redis = connectRedis(inject('redisUrl'));
  afterAll(() => redis.quit());
  const open = (name: string) => {
    const keys = createKeys(`samples-${name}`, 4, 64);
    return { keys, samples: createSamples(redis, keys) };
  };

  test('gives the last hour, the oldest first, and only what is newer than asked for', async () => {
    const { samples } = open('hour');
    const now = await redisMs(redis);
    for (const age of [10, 3_590_000, 3_610_000, 30_000]) await samples.note(sampleAt(now - age));
    const { samples: all } = await samples.list();
    expect(all.map(({ at }) => now - at)).toEqual([3_590_000, 30_000, 10]);
    expect((await samples.list(now - 30_000)).samples).toEqual([sampleAt(now - 10)]);
  });

  test('never holds more than an hour of places, and expires', async () => {
    const { keys, samples } = open('bound');
    const now = await redisMs(redis);
    for (let i = 0; i < 400; i++) await samples.note(sampleAt(now - i * sampleEveryMs));
    expect(await redis.hlen(keys.samples)).toBe(360);
    expect(await redis.pttl(keys.samples)).toBeGreaterThan(3_600_000);
    expect((await redis.memory('USAGE', keys.samples))!).toBeLessThan(360 * 700);
  });

  test('a sample of a time that has not come is not shown, and gives its place away', async () => {
    const { keys, samples } = open('future');
    const now = await redisMs(redis);
    await samples.note(sampleAt(now + 3_600_000));
    expect((await samples.list()).samples).toEqual([]);
    expect(await samples.has(now)).toBe(false);
    await samples.note(sampleAt(now, 7));
    expect((await samples.list()).samples).toEqual([sampleAt(now, 7)]);
    expect(await redis.hlen(keys.samples)).toBe(1);
  });

  test('two processes take one sample of ten seconds', async () => {
    const { keys, samples } = open('two');
    const [one, other] = [createSampling(redis, keys), createSampling(redis, keys)];
    await one();
    const first = await samples.list();
    await other();
    await one();
    const turns = Math.floor((await redisMs(redis)) / sampleEveryMs) - Math.floor(first.samples[0]!.at / sampleEveryMs);
    expect((await samples.list()).samples.slice(0, turns === 0 ? undefined : 1)).toEqual(first.samples);
  });
});

test('one sample costs Redis a few dozen short commands, and those of other processes two', async () => {
  const server = await startRedis();
  const redis = connectRedis(server.url);
  const keys = createKeys('cost', 4, 64);
  const callsDuring = async (work: () => Promise<unknown>): Promise<number> => {
    await redis.config('RESETSTAT');
    await work();
    const stats = await redis.info('commandstats');
    return [...stats.matchAll(/cmdstat_(?!config)\S+?:calls=(\d+)/g)].reduce(
      (sum, [, calls]) => sum + Number(calls),
      0,
    );
  };
  const sample = createSampling(redis, keys);
  await redis.ping();
  expect(await callsDuring(sample)).toBeLessThanOrEqual(8 + 6 * keys.partitions);
  const again = await callsDuring(sample);
  expect([2, 8 + 6 * keys.partitions].some((most) => again <= most)).toBe(true);
  await redis.quit();
  await server.stop();
});

describe('a cluster', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster({ gateways: 2, jobs: true, env: { ADMIN_TOKEN: 'the-token-of-the-desk' } });
  });
  afterAll(() => cluster.stop());

  const get = async (path: string) => {
    const base = cluster.url().replace(/^ws/, 'http').replace('/v1/ws', '');
    const answer = await fetch(base + path, { headers: { authorization: 'Bearer the-token-of-the-desk' } });
    return {
      status: answer.status,
      body: (await answer.json()) as { everyMs: number; now: number; samples: Sample[] },
    };
  };
  const patient = { timeout: 60_000, interval: 500 };
  /** Both gateways have reported since their devices connected. */
  const isBusy = ({ acceptedPerS, connections, deliverP99Ms }: Sample): boolean =>
    acceptedPerS > 0 && connections === 2 && deliverP99Ms !== null;

  test('its traffic, connections, memory and lags are in the samples of the last hour', async () => {
    const alice = await cluster.connect('alice');
    await cluster.connect('bob', { gateway: 2 });
    let looks = 0;
    const { body } = await vi.waitFor(async () => {
      // A sample shows the last report of each process, so traffic of one moment may be in none.
      await sendMany(alice, 'bob', 20, `look-${looks++}`);
      const found = await get('/admin/api/curves');
      expect(found.body.samples.some(isBusy)).toBe(true);
      return found;
    }, patient);
    expect(body.everyMs).toBe(sampleEveryMs);
    const busy = body.samples.find(isBusy)!;
    expect(body.now - busy.at).toBeLessThan(3_600_000);
    expect(busy).toMatchObject({
      acceptP50Ms: expect.any(Number),
      acceptP99Ms: expect.any(Number),
      deliverP99Ms: expect.any(Number),
      redisBytes: expect.any(Number),
      lag: { inbox: [0, 0, 0, 0].map(() => expect.any(Number)), history: [0, 0, 0, 0].map(() => expect.any(Number)) },
    });
    expect(busy.surge).toHaveLength(4);

    const later = await get(`/admin/api/curves?after=${busy.at}`);
    expect(later.body.samples.every(({ at }) => at > busy.at)).toBe(true);
  }, 120_000);

  test('entries that nobody archives are the lag of their partition', async () => {
    // What it has written and not yet settled would count as well.
    await cluster.settled('history');
    await cluster.end('archive-1', 'SIGKILL');
    const alice = await cluster.connect('alice', { device: 'second' });
    await sendMany(alice, 'bob', 50, 'unarchived');
    await vi.waitFor(async () => {
      const { samples } = (await get('/admin/api/curves')).body;
      expect(samples.at(-1)!.lag.history.reduce((sum, lag) => sum + lag, 0)).toBe(50);
      expect(samples.at(-1)!.lag.inbox).toEqual([0, 0, 0, 0]);
    }, patient);
  }, 120_000);

  test.each(['-1', 'yesterday', '1.5', '1e300'])('a wrong time is refused: %s', async (after) => {
    expect(await get(`/admin/api/curves?after=${after}`)).toMatchObject({
      status: 400,
      body: { error: { code: 'bad_request' } },
    });
  });
});
