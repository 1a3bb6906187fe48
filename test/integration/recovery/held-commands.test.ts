import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { whenReady } from '../../../shared/redis/connection/connect.ts';
import { HeldCommand, holdCommands } from '../../../shared/redis/connection/held-commands.ts';

/** A connection takes no commands before its run of Redis was compared with history. */

let redis: Redis;
beforeEach(async () => {
  redis = new Redis(inject('redisUrl'), { protocol: 2, enableOfflineQueue: false });
  await whenReady(redis);
});
afterEach(() => redis.disconnect());

const key = 'held-commands-test';

test('commands are rejected until the release, and again after the connection broke', async () => {
  const hold = holdCommands(redis);
  await expect(redis.set(key, '1')).rejects.toThrow(HeldCommand);
  expect(await redis.info('server')).toContain('redis_version');
  expect(await hold.unheld.get(key)).toBeNull();
  expect(hold.release(hold.connection)).toBe(true);
  expect(await redis.set(key, '1', 'PX', 60_000)).toBe('OK');
  expect(await redis.del(key)).toBe(1);
  const { connection } = hold;
  const closed = new Promise((resolve) => redis.once('close', resolve));
  redis.disconnect(true);
  await closed;
  await whenReady(redis);
  await expect(redis.set(key, '1')).rejects.toThrow(HeldCommand);
  expect(hold.release(connection)).toBe(false);
  await expect(redis.set(key, '1')).rejects.toThrow(HeldCommand);
});

test('a pipeline is held whole, whatever it begins with: replies stay with their commands', async () => {
  const hold = holdCommands(redis);
  const replies = (await redis.pipeline().info('replication').set(key, '1').ping().exec())!;
  for (const [error] of replies) expect(error).toBeInstanceOf(HeldCommand);
  await expect(redis.multi().info('replication').set(key, '1').exec()).rejects.toThrow();
  expect(await redis.ping()).toBe('PONG');
  expect(await redis.info('memory')).toContain('used_memory');
  hold.release(hold.connection);
  expect(await redis.hgetall(key)).toEqual({});
  expect(await redis.info('replication')).toContain('role:master');
  expect(await redis.pipeline().ping().get(key).exec()).toEqual([
    [null, 'PONG'],
    [null, null],
  ]);
});
