import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isFaultOfBatch } from '../../../workers/stream/batch-fault.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

/**
 * What a worker takes for the fault of its batch may end as a dead letter: never what Redis refuses because of its own
 * state.
 */

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const write = "return redis.call('SET', KEYS[1], 'x')";
const failureOf = (script: string): Promise<unknown> =>
  redis.eval(script, 1, 'key').then(
    () => null,
    (thrown: unknown) => thrown,
  );

test.each([
  ['too few replicas', ['min-replicas-to-write', '1'], ['min-replicas-to-write', '0'], /^NOREPLICAS/],
  ['no memory', ['maxmemory', '1'], ['maxmemory', '0'], /^OOM/],
])('a script refused for %s says nothing about its batch', async (_, bad, good, word) => {
  await redis.config('SET', ...(bad as [string, string]));
  const thrown = await failureOf(write);
  await redis.config('SET', ...(good as [string, string]));
  expect(thrown).toMatchObject({ message: expect.stringMatching(word) as string });
  expect(isFaultOfBatch(thrown)).toBe(false);
});

test('a script refused by a replica says nothing about its batch', async () => {
  await redis.replicaof('127.0.0.1', 1);
  await redis.config('SET', 'replica-serve-stale-data', 'yes');
  const thrown = await failureOf(write);
  await redis.replicaof('NO', 'ONE');
  expect(thrown).toMatchObject({ message: expect.stringMatching(/^READONLY.*user_script/) as string });
  expect(isFaultOfBatch(thrown)).toBe(false);
});

test('a script that fails on what it finds blames its batch', async () => {
  await redis.set('key', 'no hash');
  expect(isFaultOfBatch(await failureOf("return redis.call('HGET', KEYS[1], 'x')"))).toBe(true);
  expect(isFaultOfBatch(await failureOf('return nothing.at.all'))).toBe(true);
});
