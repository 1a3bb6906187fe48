import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { createConversations } from '../../../shared/redis/conversations/conversations.ts';
import { membersInStep } from '../../../shared/redis/conversations/members.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { openFor } from '../../support/open-slot.ts';
import { connectRedis, duplicateOf } from '../../support/redis-connection.ts';

/** The creation of a group that is too large for one step: others see all of it or nothing. */

const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
const id = 'square';
const users = Array.from({ length: 3210 }, (_, i) => `user_${i}`);
const backend = { user: 'backend', service: true };

let redis: Redis;
const creator = (connection: Redis = redis) =>
  createConversations(
    connection,
    keys,
    { mostInInboxes: 500, mostUnsettled: 10_000 },
    { load: async () => false, closed: () => undefined, seen: () => undefined },
  );
const staged = () => redis.keys(keys.staged(0, id, '*'));

beforeEach(async () => {
  redis = connectRedis(inject('redisUrl'));
  await redis.hset(keys.partitionSlot(0), {
    epoch: 'e',
    line: 'e',
    complete: '1',
    generation: '1',
    ...(await openFor(redis)),
  });
});
afterEach(async () => {
  await redis.unlink(
    keys.partitionSlot(0),
    keys.messages(0),
    keys.conversation(0, id),
    keys.members(0, id),
    ...(await staged()),
  );
  redis.disconnect();
});

/** Every script that a connection calls: how many words it gets. `before` is waited for before each call. */
async function watched(before: (call: number) => Promise<void> = async () => undefined): Promise<{
  connection: Redis;
  words: number[];
}> {
  const connection = await duplicateOf(redis);
  const words: number[] = [];
  const evalsha = connection.evalsha.bind(connection) as (...args: unknown[]) => Promise<unknown>;
  connection.evalsha = async (...args: unknown[]) => {
    words.push(args.length);
    await before(words.length);
    return evalsha(...args);
  };
  return { connection, words };
}

test('makes the group of all members, in steps of which none names more than some hundred of them', async () => {
  const { connection, words } = await watched();
  expect(await creator(connection).create(id, users, 'Square', true)).toBe('created');
  connection.disconnect();
  expect(words.length).toBeGreaterThan(users.length / membersInStep);
  expect(Math.max(...words)).toBeLessThan(2 * membersInStep + 20);
  expect(await redis.hgetall(keys.conversation(0, id))).toMatchObject({
    epoch: 'e',
    seq: '0',
    version: '1',
    kind: 'group',
    name: 'Square',
    service: '1',
    count: '3210',
    large: '0',
  });
  expect(await redis.hgetall(keys.members(0, id))).toEqual(Object.fromEntries(users.map((user) => [user, '0-'])));
  expect(await redis.pttl(keys.members(0, id))).toBe(-1);
  expect(await redis.xrange(keys.messages(0), '-', '+')).toMatchObject([
    [expect.anything(), ['r', expect.stringMatching(/^1 founded square \d+ 1 1 large 0$/), 't', '{"name":"Square"}']],
  ]);
  expect(await redis.hget(keys.partitionSlot(0), 'appended')).toBe('1');
  expect(await staged()).toEqual([]);
});

test('is seen by nobody before its last step, and a creator that dies leaves nothing that stays', async () => {
  for (const last of [2, 5, 8]) {
    const { connection } = await watched(async (call) => {
      await expect(creator().read(id)).rejects.toMatchObject({ code: 'not_found' });
      expect(await redis.exists(keys.members(0, id), keys.messages(0))).toBe(0);
      if (call === last) connection.disconnect();
    });
    await expect(creator(connection).create(id, users, null, true)).rejects.toMatchObject({ code: 'retry_later' });
  }
  const left = await staged();
  expect(left.length).toBeGreaterThan(0);
  for (const key of left) expect(await redis.pttl(key)).toBeGreaterThan(0);
  expect(await creator().create(id, users, null, true)).toBe('created');
});

test('puts the members aside again when they have expired, or were lost', async () => {
  const { connection } = await watched(async (call) => {
    if (call === 5) await redis.unlink(await staged());
  });
  expect(await creator(connection).create(id, users, null, true)).toBe('created');
  connection.disconnect();
  expect(await redis.hlen(keys.members(0, id))).toBe(users.length);
});

describe('two at once under one id', () => {
  test('with the same members: one creates it, the other has the same', async () => {
    const other = await duplicateOf(redis);
    const outcomes = await Promise.all([
      creator().create(id, users, null, true),
      creator(other).create(id, users.toReversed(), null, true),
    ]);
    other.disconnect();
    expect(outcomes.sort()).toEqual(['created', 'same']);
    expect(await redis.hlen(keys.members(0, id))).toBe(users.length);
  });

  test('with other members: the other one does not get it', async () => {
    const other = await duplicateOf(redis);
    const others = users.with(-1, 'somebody_else');
    const outcomes = await Promise.all([
      creator().create(id, users, null, true),
      creator(other).create(id, others, null, true),
    ]);
    other.disconnect();
    expect(outcomes.toSorted()).toEqual(['created', 'different']);
    expect((await redis.hkeys(keys.members(0, id))).sort()).toEqual(
      (outcomes[0] === 'created' ? users : others).toSorted(),
    );
  });
});

describe('the same again', () => {
  test('is compared with the members of one moment', async () => {
    await creator().create(id, users, null, true);
    // The first member goes once it has been compared, and another one comes: at no moment are these the members.
    const others = users.with(-1, 'newcomer');
    const { connection } = await watched(async (call) => {
      if (call !== 5) return;
      await creator().changeMember(id, 'leave', backend, users[0]!, 'out');
      await creator().changeMember(id, 'leave', backend, users.at(-1)!, 'out too');
      await creator().changeMember(id, 'join', backend, 'newcomer', 'in');
      await creator().changeMember(id, 'join', backend, 'another', 'in too');
    });
    expect(await creator(connection).create(id, others, null, true)).toBe('different');
    connection.disconnect();
  });

  test('is the same when only the name changes meanwhile, and retry_later when it never rests', async () => {
    await creator().create(id, users, null, true);
    const renames = (until: number) =>
      watched(async (call) => {
        if (call > 1 && call < until) await creator().change(id, backend, { name: `name ${call}` });
      });
    const once = await renames(6);
    expect(await creator(once.connection).create(id, users, null, true)).toBe('same');
    const always = await renames(Infinity);
    await expect(creator(always.connection).create(id, users, null, true)).rejects.toMatchObject({
      code: 'retry_later',
    });
    once.connection.disconnect();
    always.connection.disconnect();
  });
});

test('where state was lost, history is asked first, and the numbers jump', async () => {
  await redis.hset(keys.partitionSlot(0), 'complete', '0');
  expect(await creator().create(id, users, null, true)).toBe('created');
  expect(await redis.hmget(keys.conversation(0, id), 'seq', 'prev', 'skips')).toEqual(['1000000', '0', '1-1000000']);
  expect(new Set(await redis.hvals(keys.members(0, id)))).toEqual(new Set(['1000000-']));
  expect(await redis.hget(keys.partitionSlot(0), 'appended')).toBe('2');
});
