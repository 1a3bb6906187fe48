import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { whenReady } from '../../../shared/redis/connection/connect.ts';
import { HeldCommand, holdCommands } from '../../../shared/redis/connection/held-commands.ts';
import { runOf } from '../../../shared/redis/connection/run.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** A connection takes commands only while it leads to the run of Redis that is open. */

let redis: Redis;
beforeEach(async () => {
  redis = connectRedis(inject('redisUrl'), { enableOfflineQueue: false });
  await whenReady(redis);
});
afterEach(() => redis.disconnect());

const key = 'held-commands-test';

test('commands are rejected while no run is open or another one is, and after the connection broke', async () => {
  const open = { run: '' };
  const unheld = holdCommands(redis, open);
  await expect(redis.set(key, '1')).rejects.toThrow(HeldCommand);
  expect(await redis.info('server')).toContain('redis_version');
  expect(await unheld.get(key)).toBeNull();
  open.run = runOf(redis);
  expect(await redis.set(key, '1', 'PX', 60_000)).toBe('OK');
  expect(await redis.del(key)).toBe(1);
  open.run = 'another';
  await expect(redis.set(key, '1')).rejects.toThrow(HeldCommand);

  open.run = runOf(redis);
  const closed = new Promise((resolve) => redis.once('close', resolve));
  redis.disconnect(true);
  await closed;
  await expect(redis.set(key, '1')).rejects.toThrow(HeldCommand);
  // It comes back to the same run.
  await whenReady(redis);
  expect(await redis.set(key, '1', 'PX', 60_000)).toBe('OK');
  expect(await redis.del(key)).toBe(1);
});

test('a pipeline is held whole, whatever it begins with: replies stay with their commands', async () => {
  const open = { run: '' };
  holdCommands(redis, open);
  const replies = (await redis.pipeline().info('replication').set(key, '1').ping().exec())!;
  for (const [error] of replies) expect(error).toBeInstanceOf(HeldCommand);
  await expect(redis.multi().info('replication').set(key, '1').exec()).rejects.toThrow();
  expect(await redis.ping()).toBe('PONG');
  expect(await redis.info('memory')).toContain('used_memory');
  open.run = runOf(redis);
  expect(await redis.hgetall(key)).toEqual({});
  expect(await redis.info('replication')).toContain('role:master');
  expect(await redis.pipeline().ping().get(key).exec()).toEqual([
    [null, 'PONG'],
    [null, null],
  ]);
});
