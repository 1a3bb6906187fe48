import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { createConversations } from '../../../shared/redis/conversations/conversations.ts';
import { membersInStep } from '../../../shared/redis/conversations/members.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { openFor } from '../../support/open-slot.ts';
import { connectRedis, duplicateOf } from '../../support/redis-connection.ts';

/** Who pages through a large group reads it in steps, from a list that is made once and follows the changes. */

const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
const id = 'square';
const backend = { user: 'backend', service: true };
const users = Array.from({ length: 5000 }, (_, i) => `user_${i}`);

let redis: Redis;
/** What the scripts were called for, over all of a test's connections. */
let steps: number;

const conversationsOf = (connection: Redis) =>
  createConversations(
    connection,
    keys,
    { mostInInboxes: 500, mostUnsettled: 1_000_000 },
    { load: async () => false, closed: () => undefined, seen: () => undefined },
  );
let conversations: ReturnType<typeof conversationsOf>;

beforeEach(async () => {
  redis = connectRedis(inject('redisUrl'));
  conversations = conversationsOf(redis);
  await redis.hset(keys.partitionSlot(0), {
    epoch: 'e',
    line: 'e',
    complete: '1',
    generation: '1',
    ...(await openFor(redis)),
  });
  await conversations.create(id, users, null, true);
  steps = 0;
});
afterEach(async () => {
  await redis.unlink(
    keys.partitionSlot(0),
    keys.messages(0),
    keys.conversation(0, id),
    keys.members(0, id),
    keys.listed(0, id),
    keys.merged(0, id),
  );
  redis.disconnect();
});

/** Counts the steps in which this connection makes the list. */
function counting(connection: Redis): ReturnType<typeof conversationsOf> {
  const evalsha = connection.evalsha.bind(connection) as (...args: unknown[]) => Promise<unknown>;
  connection.evalsha = async (...args: unknown[]) => {
    const reply = await evalsha(...args);
    if ((reply as unknown[])[0] === 'making') steps += 1;
    return reply;
  };
  return conversationsOf(connection);
}

async function allPages(reader: ReturnType<typeof conversationsOf>, most = 700): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const page = await reader.memberPage(id, null, found.at(-1) ?? '', most);
    found.push(...page.map(({ user }) => user));
    if (page.length < most) return found;
  }
}

const stored = async (): Promise<string[]> =>
  Object.entries(await redis.hgetall(keys.members(0, id)))
    .flatMap(([user, spans]) => (spans.endsWith('-') ? [user] : []))
    .sort();

test('pages are in rising order of the ids, with the seq of joining', async () => {
  await conversations.changeMember(id, 'leave', backend, 'user_7', 'out');
  await conversations.changeMember(id, 'join', backend, 'user_7', 'in');
  expect(await allPages(conversations)).toEqual(users.toSorted());
  expect(await conversations.memberPage(id, null, 'user_6999', 2)).toEqual([
    { user: 'user_7', joinedSeq: 1 },
    { user: 'user_70', joinedSeq: 0 },
  ]);
  expect(await conversations.memberPage(id, 'user_3', 'z', 5)).toEqual([]);
  await expect(conversations.memberPage(id, 'stranger', '', 5)).rejects.toMatchObject({ code: 'not_found' });
});

test('a list is made once for all that ask at once, and later changes are made in it', async () => {
  const others = await Promise.all(Array.from({ length: 4 }, () => duplicateOf(redis)));
  try {
    const readers = others.map(counting);
    const pages = await Promise.all(readers.flatMap((reader) => [allPages(reader), allPages(reader)]));
    for (const page of pages) expect(page).toEqual(users.toSorted());
    const once = steps;
    expect(once).toBeLessThan(3 * (users.length / membersInStep));
    for (let i = 0; i < 20; i++) {
      await conversations.changeMember(id, i % 2 === 0 ? 'leave' : 'join', backend, 'user_1', `toggle-${i}`);
      await conversations.change(id, backend, { name: `name ${i}` });
      const [first] = await readers[i % 4]!.memberPage(id, null, 'user_0', 1);
      expect(first!.user).toBe(i % 2 === 0 ? 'user_10' : 'user_1');
    }
    expect(steps).toBe(once);
  } finally {
    for (const connection of others) connection.disconnect();
  }
});

describe('the list is right', () => {
  test('when members come and go while it is made', async () => {
    for (let round = 0; round < 5; round++) {
      await redis.unlink(keys.listed(0, id));
      let making = true;
      const pages = allPages(conversations).finally(() => (making = false));
      const other = await duplicateOf(redis);
      for (let i = 0; making; i++) {
        await conversationsOf(other).changeMember(
          id,
          i % 3 === 0 ? 'leave' : 'join',
          backend,
          `user_${(i * 37) % 5200}`,
          `c${round}-${i}`,
        );
      }
      other.disconnect();
      await pages;
      expect(await allPages(conversations)).toEqual(await stored());
    }
  }, 20_000);

  test('when a process that does not know it changes the group', async () => {
    expect(await allPages(conversations)).toHaveLength(5000);
    await redis
      .multi()
      .hset(keys.members(0, id), 'user_8', '0-1')
      .hincrby(keys.conversation(0, id), 'version', 1)
      .exec();
    expect(await allPages(conversations)).toEqual(users.filter((user) => user !== 'user_8').sort());
  });

  test('when it expires while it is made, and when nobody is left', async () => {
    const [making] = [await conversations.memberPage(id, null, '', 1)];
    expect(making).toHaveLength(1);
    await redis.hset(keys.conversation(0, id), 'listed', `${await redis.hget(keys.conversation(0, id), 'version')} 17`);
    await redis.unlink(keys.listed(0, id));
    expect(await allPages(conversations)).toEqual(users.toSorted());
    const spans = Object.fromEntries(users.map((user) => [user, '0-1']));
    await redis.multi().hset(keys.members(0, id), spans).hincrby(keys.conversation(0, id), 'version', 1).exec();
    expect(await allPages(conversations)).toEqual([]);
    await conversations.changeMember(id, 'join', backend, 'back', 'again');
    expect(await allPages(conversations)).toEqual(['back']);
    expect(await redis.pttl(keys.listed(0, id))).toBeGreaterThan(0);
  });
});

test('everybody is read in steps, whatever changes meanwhile', async () => {
  let reading = true;
  const other = await duplicateOf(redis);
  const all = conversations.members(id).finally(() => (reading = false));
  // Sent behind the first step, which says which version is read.
  await redis.ping();
  for (let i = 0; reading; i++)
    await conversationsOf(other).changeMember(id, i % 2 === 0 ? 'leave' : 'join', backend, 'user_4', `c${i}`);
  other.disconnect();
  const { version, spans } = await all;
  expect(version).toBe(1);
  expect([...spans.keys()].sort()).toEqual(users.toSorted());
});
