import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createConversations } from '../../shared/redis/conversations.ts';
import { createKeys } from '../../shared/redis/keys.ts';
import { lossJump } from '../../shared/redis/loss.ts';

/** What history gives back of the largest group there may be, with more who were members of it once. */

const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
const created = 100_000;
const left = 40_000;

let redis: Redis;
beforeEach(async () => {
  // As processes connect for commands: one that takes over 2 s is given up.
  redis = new Redis(inject('redisUrl'), { commandTimeout: 2000 });
  await redis.hset(keys.partitionSlot(0), { epoch: 'e', complete: '0', generation: '1' });
});
afterEach(async () => {
  await redis.unlink(keys.partitionSlot(0), keys.messages(0), keys.conversation(0, 'square'), keys.members(0, 'square'));
  redis.disconnect();
});

test('comes back in one step', async () => {
  const help = { load: async () => false, closed: () => undefined };
  const conversations = createConversations(redis, keys, { mostInInboxes: 500, mostUnsettled: 1000 }, help);
  const members = Array.from({ length: created + left }, (_, i) => ({ user: `user_${i}`, spans: i < created ? '0-' : `0-${i}`, version: i < created ? 1 : i }));
  const info = { id: 'square', kind: 'group' as const, name: null, createdAt: 1, service: false, users: null, historyDays: null, version: 1 };
  await conversations.install({ info, members, skips: [], lastSeq: 200_000 }, 'square', '');
  const found = await conversations.read('square', { user: 'user_7' });
  expect(found).toMatchObject({ memberCount: created, spans: [{ joined: 0, left: null }], info: { version: created + left - 1 + lossJump } });
  expect((await conversations.members('square')).spans.size).toBe(created + left);
  expect(found.lastSeq).toBeGreaterThan(200_000);
}, 30_000);
