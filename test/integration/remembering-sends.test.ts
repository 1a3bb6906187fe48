import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { createKeys, directConversation } from '../../shared/redis/keys.ts';
import { createMessages } from '../../shared/redis/messages.ts';
import { run } from '../../shared/redis/scripts.ts';

/** The pool of known clientIds, with buckets of two seconds in place of an hour. */

const bucketMs = 2000;
const prefix = `t${randomBytes(6).toString('hex')}`;
const keys = createKeys(prefix, 1, 1);
const help = { load: async () => false, lookup: async () => null, closed: () => undefined };
let redis: Redis;

beforeAll(async () => {
  redis = new Redis(inject('redisUrl'), { protocol: 2 });
  await run(redis, 'open-slot', [keys.partitionSlot(0), keys.messages(0)], ['epoch', 0, '1', '']);
});
afterAll(() => redis.disconnect());

const bucket = async (): Promise<number> => Math.floor((Number((await redis.time())[0]) * 1000) / bucketMs);

/** Resolves at the beginning of a later bucket. */
async function bucketsLater(count: number): Promise<void> {
  const from = await bucket();
  while ((await bucket()) < from + count) await pause(5);
}

const pools = async (): Promise<number[]> =>
  [...new Set((await redis.keys(`${prefix}:{p0}:sent:*`)).map((key) => Number(key.split(':')[3])))].sort((one, other) => one - other);

test('a clientId is known through its bucket and the next, and its memory is given back afterwards', async () => {
  const messages = createMessages(redis, keys, { dedupeMs: bucketMs, mostUnsettled: 1000, mostInInboxes: 500 }, help);
  const send = (clientId: string) =>
    messages.accept({
      conversation: directConversation('alice', 'bob'), sender: 'alice', clientId, fingerprint: 'f', way: 'direct', users: 'alice,bob',
      device: '-', class: 'normal', made: 0, tail: `"sender":"alice","clientId":"${clientId}","kind":"text","body":1,"class":"normal"}`,
    });

  await bucketsLater(1);
  const first = await send('one');
  expect(first).toMatchObject({ seq: 1, duplicate: false });
  expect(await send('one')).toEqual({ ...first, duplicate: true });

  await bucketsLater(1);
  expect(await send('one')).toEqual({ ...first, duplicate: true });
  expect(await send('two')).toMatchObject({ seq: 2, duplicate: false });
  const [older, newer] = await pools();
  expect(newer).toBe(older! + 1);

  await bucketsLater(1);
  expect(await send('two')).toMatchObject({ seq: 2, duplicate: true });
  expect(await send('three')).toMatchObject({ seq: 3, duplicate: false });
  expect(await pools()).not.toContain(older);

  await bucketsLater(3);
  expect(await send('four')).toMatchObject({ seq: 4, duplicate: false });
  expect(await pools()).toHaveLength(1);
}, 30_000);
