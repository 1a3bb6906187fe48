import { randomBytes } from 'node:crypto';
import { afterAll, expect, inject, onTestFinished, test, vi } from 'vitest';
import { createKeys } from '../../../shared/redis/keys.ts';
import { readNotifyAfter, sayNotifyAfter } from '../../../shared/redis/notify-after.ts';
import { connectRedis } from '../../support/redis-connection.ts';

const redis = connectRedis(inject('redisUrl'));
afterAll(() => redis.disconnect());

function read(configured: number) {
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  const notifyAfter = readNotifyAfter(redis, keys, configured);
  onTestFinished(notifyAfter.stop);
  return { keys, notifyAfter };
}

test('the own settings hold until jobs has said something, and what was said outlives a loss of Redis', async () => {
  const { keys, notifyAfter } = read(7000);
  expect(notifyAfter.ms).toBeNull();
  await notifyAfter.look();
  expect(notifyAfter.ms).toBe(7000);
  sayNotifyAfter(redis, keys, 500)();
  await notifyAfter.look();
  expect(notifyAfter.ms).toBe(500);
  await redis.del(keys.notifyAfter);
  await notifyAfter.look();
  expect(notifyAfter.ms).toBe(500);
  sayNotifyAfter(redis, keys, 0)();
  await notifyAfter.look();
  expect(notifyAfter.ms).toBe(0);
});

test('it is read again by itself, and said again after a loss', { timeout: 20_000 }, async () => {
  const { keys, notifyAfter } = read(0);
  onTestFinished(sayNotifyAfter(redis, keys, 300));
  await vi.waitFor(() => expect(notifyAfter.ms).toBe(300), { timeout: 5000 });
  await redis.del(keys.notifyAfter);
  await vi.waitFor(async () => expect(await redis.get(keys.notifyAfter)).toBe('300'), { timeout: 10_000 });
});

test('it stays unknown while Redis does not answer', async () => {
  const away = connectRedis('redis://127.0.0.1:1', { retryStrategy: () => null, enableOfflineQueue: false });
  away.on('error', () => undefined);
  const notifyAfter = readNotifyAfter(away, createKeys('t', 1, 1), 300);
  onTestFinished(notifyAfter.stop);
  await notifyAfter.look();
  expect(notifyAfter.ms).toBeNull();
});
