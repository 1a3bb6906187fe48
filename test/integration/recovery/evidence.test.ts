import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { createEvidence, type SeenHead } from '../../../shared/recovery/evidence.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** What a process saw must still be there at the next opening, unless its slot has begun another line since. */

const redis = connectRedis(inject('redisUrl'));
afterAll(() => redis.disconnect());
let keys: Keys;
let evidence: ReturnType<typeof createEvidence>;
/** The shards of these two users differ. */
const [here, there] = ['alice', 'bob'];
beforeEach(() => {
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 2, 64);
  evidence = createEvidence(keys);
  evidence.enter('first', 0);
  if (keys.shardOf(here) === keys.shardOf(there)) throw new Error('the users of this test share a shard');
});
afterEach(async () => {
  const all = await redis.keys(keys.every);
  if (all.length > 0) await redis.unlink(all);
});

/** A loss that concerns the shard of one user: its line begins in this generation. */
async function lose(user: string, epoch: string, generation: number): Promise<void> {
  await redis.hset(keys.shardSlot(keys.shardOf(user)), 'generation', generation);
  evidence.enter(epoch, generation);
}
const lostSlots = async (): Promise<string[]> => (await evidence.collect(redis)).lost;

describe('a head that was seen before a loss', () => {
  const ways: [string, (head: SeenHead) => void][] = [
    ['of a connection', (head) => evidence.askHeads(() => [head])],
    ['of a connection that has ended', (head) => evidence.ended(head)],
    ['that an append answered', ({ user, head }) => evidence.appended(user, head)],
  ];
  test.each(ways)('%s counts in a shard that lost nothing, and not in one that did', async (_, see) => {
    see({ user: there, epoch: 'first', head: 5 });
    await redis.hset(keys.user(there), 'head', 4);
    expect(await lostSlots()).toEqual([`i${keys.shardOf(there)}`]);
    await lose(here, 'second', 1);
    expect(await lostSlots()).toEqual([`i${keys.shardOf(there)}`]);
    await lose(there, 'third', 2);
    expect(await lostSlots()).toEqual([]);
  });
});

test('a head of a later line counts beside one of an earlier line', async () => {
  evidence.ended({ user: there, epoch: 'first', head: 50 });
  await lose(there, 'second', 1);
  evidence.ended({ user: there, epoch: 'second', head: 7 });
  await redis.hset(keys.user(there), 'head', 7);
  expect(await lostSlots()).toEqual([]);
  await redis.hset(keys.user(there), 'head', 6);
  expect(await lostSlots()).toEqual([`i${keys.shardOf(there)}`]);
});

test('the last stream id of a partition is kept over losses, and never falls', async () => {
  evidence.seen(1, '10-1');
  evidence.seen(1, '9-5');
  await lose(here, 'second', 1);
  expect((await evidence.collect(redis)).partitions).toEqual({ p1: '10-1' });
});
