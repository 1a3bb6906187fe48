import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { createConversations } from '../../../shared/redis/conversations/conversations.ts';
import { membersWhole } from '../../../shared/redis/conversations/members.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { lossJump } from '../../../shared/redis/loss.ts';
import { openFor } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** What history gives back of the largest group there may be, with more who were members of it once. */

const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
const created = 100_000;
const left = 40_000;

let redis: Redis;
beforeEach(async () => {
  // As processes connect for commands: one that takes over 2 s is given up.
  redis = connectRedis(inject('redisUrl'), { commandTimeout: 2000 });
  await redis.hset(keys.partitionSlot(0), {
    epoch: 'e',
    line: 'e',
    complete: '0',
    generation: '1',
    ...(await openFor(redis)),
  });
});
afterEach(async () => {
  await redis.unlink(
    keys.partitionSlot(0),
    keys.messages(0),
    keys.conversation(0, 'square'),
    keys.members(0, 'square'),
  );
  redis.disconnect();
});

test('comes back, in steps of some hundred', async () => {
  const help = { load: async () => false, closed: () => undefined, seen: () => undefined };
  const conversations = createConversations(redis, keys, { mostInInboxes: 500, mostUnsettled: 1000 }, help);
  const members = Array.from({ length: created + left }, (_, i) => ({
    user: `user_${i}`,
    spans: i < created ? '0-' : `0-${i}`,
    version: i < created ? 1 : i,
  }));
  const info = {
    id: 'square',
    kind: 'group' as const,
    name: null,
    createdAt: 1,
    service: false,
    users: null,
    historyDays: null,
    version: 1,
  };
  await conversations.install('e', { info, members, skips: [], lastSeq: 200_000, amendSeq: 0 }, 'square', '');
  expect(await redis.pttl(keys.members(0, 'square'))).toBe(-1);
  const found = await conversations.read('square', { user: 'user_7' });
  expect(found).toMatchObject({
    memberCount: created,
    spans: [{ joined: 0, left: null }],
    info: { version: created + left - 1 + lossJump },
  });
  expect((await conversations.members('square')).spans.size).toBe(created + left);
  expect(found.lastSeq).toBeGreaterThan(200_000);
}, 30_000);

/** Every script that a connection calls: how many words it gets. */
function wordsOf(connection: Redis): number[] {
  const words: number[] = [];
  const evalsha = connection.evalsha.bind(connection) as (...args: unknown[]) => Promise<unknown>;
  connection.evalsha = async (...args: unknown[]) => {
    words.push(args.length);
    return evalsha(...args);
  };
  return words;
}

describe('what Redis holds of another epoch', () => {
  const info = {
    id: 'square',
    kind: 'group' as const,
    name: null,
    createdAt: 1,
    service: false,
    users: null,
    historyDays: null,
    version: 9,
  };
  const stored = Array.from({ length: 3000 }, (_, i) => ({
    user: `user_${i}`,
    spans: i % 2 === 0 ? '0-' : '0-3',
    version: 9,
  }));
  const held = Object.fromEntries(
    Array.from({ length: 4000 }, (_, i) => [`user_${i + 1000}`, i % 4 === 0 ? '0-2' : '0-']),
  );
  const install = async (rows: typeof stored, version: string) => {
    await redis.hset(keys.members(0, 'square'), held);
    await redis.hset(keys.conversation(0, 'square'), {
      epoch: 'before',
      kind: 'group',
      seq: 8,
      version,
      createdAt: 1,
      service: 0,
      count: 3000,
    });
    const words = wordsOf(redis);
    const conversations = createConversations(
      redis,
      keys,
      { mostInInboxes: 500, mostUnsettled: 1000 },
      { load: async () => false, closed: () => undefined, seen: () => undefined },
    );
    await conversations.install('e', { info, members: rows, skips: [], lastSeq: 9, amendSeq: 0 }, 'square', '');
    expect(Math.max(...words)).toBeLessThan(2 * membersWhole + 30);
    expect(await redis.keys(keys.staged(0, 'square', '*'))).toEqual([]);
    const all = await redis.hgetall(keys.members(0, 'square'));
    expect(await redis.hget(keys.conversation(0, 'square'), 'count')).toBe(
      String(Object.values(all).filter((spans) => spans.endsWith('-')).length),
    );
    return all;
  };

  test.each([3000, 900])('is older: %i rows of history count, beside what only Redis has', async (rows) => {
    const given = stored.slice(0, rows);
    expect(await install(given, '5')).toEqual({
      ...held,
      ...Object.fromEntries(given.map(({ user, spans }) => [user, spans])),
    });
  });

  test('is newer: it stays as it is', async () => {
    expect(await install(stored, '12')).toEqual(held);
  });
});
