import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { keepScriptsLoaded, run } from '../../../shared/redis/scripts.ts';
import { provesAckedTrim } from '../../../shared/redis/streams/acked-trim.ts';
import { openFor } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** Message streams lose nothing that a group has not settled, on servers that know ACKED and on those that do not. */

let redis: Redis;
let keys: Keys;
beforeEach(async () => {
  redis = keepScriptsLoaded(connectRedis(inject('redisUrl')));
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  await redis.hset(keys.partitionSlot(0), await openFor(redis));
  for (let i = 1; i <= 4; i++) await redis.xadd(keys.messages(0), `${i}-0`, 'r', 'x', 't', '{}');
});
afterEach(async () => {
  await redis.del(keys.messages(0), keys.partitionSlot(0));
  redis.disconnect();
});

async function group(name: string, settles: number): Promise<void> {
  await redis.xgroup('CREATE', keys.messages(0), name, '0');
  await redis.xreadgroup('GROUP', name, name, 'COUNT', 4, 'STREAMS', keys.messages(0), '>');
  for (let i = 1; i <= settles; i++) await redis.xack(keys.messages(0), name, `${i}-0`);
}
const trim = (acked: boolean) =>
  run<string>(
    redis,
    'trim-messages',
    [keys.partitionSlot(0), keys.messages(0)],
    [acked ? '1' : '0', 'inbox', 'history'],
  );
const left = async (): Promise<string[]> => (await redis.xrange(keys.messages(0), '-', '+')).map(([id]) => id);

describe('what goes is what both groups have settled', () => {
  test('as the slots count it', async () => {
    await group('inbox', 3);
    expect(await trim(false)).toBe('missing history');
    await group('history', 2);
    expect(await trim(false)).toBe('trimmed 2 2');
    expect(await left()).toEqual(['3-0', '4-0']);
  });

  test('as Redis itself proves it, where it can: then also for a foreign group', async ({ skip }) => {
    const proven = await provesAckedTrim(redis, keys);
    expect(await redis.exists(keys.trimTrial)).toBe(0);
    skip(!proven, 'this Redis does not know XTRIM … ACKED (8.2 does)');
    await group('inbox', 3);
    await group('history', 3);
    await group('audit', 1);
    expect(await trim(true)).toBe('trimmed 1 3');
    expect(await left()).toEqual(['2-0', '3-0', '4-0']);
  });
});

describe('a stranger in a group', () => {
  const adopt = (takenMs: number, silentMs: number) =>
    run<[number, number]>(
      redis,
      'adopt-pending',
      [keys.partitionSlot(0), keys.messages(0)],
      ['inbox', takenMs, silentMs],
    );
  const consumers = async (): Promise<unknown[]> =>
    ((await redis.xinfo('CONSUMERS', keys.messages(0), 'inbox')) as unknown[][]).map((flat) => [flat[1], flat[3]]);

  test('what it has taken goes to the group, in its order, and it is removed once it holds nothing', async () => {
    expect(await adopt(0, 0)).toEqual([0, 0]);
    await redis.xgroup('CREATE', keys.messages(0), 'inbox', '0');
    await redis.xreadgroup('GROUP', 'inbox', 'inbox', 'COUNT', 1, 'STREAMS', keys.messages(0), '>');
    await redis.xreadgroup('GROUP', 'inbox', 'shell', 'COUNT', 2, 'STREAMS', keys.messages(0), '>');
    expect(await adopt(60_000, 0)).toEqual([0, 0]);
    expect(await consumers()).toEqual([
      ['inbox', 1],
      ['shell', 2],
    ]);
    expect(await adopt(0, 60_000)).toEqual([2, 0]);
    expect(await consumers()).toEqual([
      ['inbox', 3],
      ['shell', 0],
    ]);
    const own = (await redis.xreadgroup('GROUP', 'inbox', 'inbox', 'STREAMS', keys.messages(0), '0'))!;
    expect(own[0]![1].map(([id]) => id)).toEqual(['1-0', '2-0', '3-0']);
    // Idle is counted in whole milliseconds.
    await vi.waitFor(async () => expect(await adopt(0, 0)).toEqual([0, 1]), 15_000);
    expect(await consumers()).toEqual([['inbox', 3]]);
  });
});
