import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { createConversations } from '../../../shared/redis/conversations/conversations.ts';
import type { InstallForm } from '../../../shared/redis/conversations/install-form.ts';
import { membersWhole } from '../../../shared/redis/conversations/members.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** A process is told of the last entry that each call makes or reads: what it saw is its evidence after a loss. */

let redis: Redis;
let keys: Keys;
let seen: [partition: number, streamId: string][];
let conversations: ReturnType<typeof createConversations>;
beforeEach(async () => {
  redis = connectRedis(inject('redisUrl'), { protocol: 2 });
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  await openSlot(redis, keys.partitionSlot(0), keys.messages(0));
  seen = [];
  conversations = createConversations(
    redis,
    keys,
    { mostInInboxes: 500, mostUnsettled: 1000 },
    { load: async () => false, closed: () => undefined, seen: (...entry) => seen.push(entry) },
  );
});
afterEach(async () => {
  await redis.unlink(await redis.keys(keys.every));
  redis.disconnect();
});

const backend = { user: 'service', service: true };
const many = Array.from({ length: membersWhole + 1 }, (_, i) => `user-${i}`);
const stored: InstallForm = {
  info: {
    id: 'g',
    kind: 'group',
    name: null,
    createdAt: 1,
    service: true,
    users: null,
    historyDays: null,
    version: 1,
  },
  members: [{ user: 'alice', spans: '0-', version: 1 }],
  skips: [],
  lastSeq: 5,
  amendSeq: 0,
};

const changes: [name: string, complete: '0' | '1', change: () => Promise<unknown>][] = [
  ['creates a group', '1', () => conversations.create('g', ['alice'], null, true)],
  ['creates a group after a loss', '0', () => conversations.create('g', ['alice'], null, true)],
  ['creates a large group', '1', () => conversations.create('g', many, null, true)],
  ['creates a large group after a loss', '0', () => conversations.create('g', many, null, true)],
  ['loads a group after a loss', '0', () => conversations.install('epoch', stored, 'g', '')],
  [
    'loads a direct conversation that history does not know',
    '0',
    () => conversations.install('epoch', null, 'd', 'alice,bob'),
  ],
];

test.each(changes)('one that %s sees its last entry once', async (_, complete, change) => {
  await redis.hset(keys.partitionSlot(0), { complete, generation: complete === '0' ? 1 : 0 });
  await change();
  const [last] = await redis.xrevrange(keys.messages(0), '+', '-', 'COUNT', 1);
  expect(seen).toEqual([[0, last![0]]]);
  await change();
  expect(seen).toHaveLength(1);
});

test('one that changes a group sees the entry of each change, and none where nothing changed', async () => {
  await conversations.create('g', ['alice'], null, true);
  for (let i = 0; i < 2; i++) {
    await conversations.changeMember('g', 'join', backend, 'bob', 'c1');
    await conversations.change('g', backend, { name: 'name', historyDays: 3 });
  }
  await conversations.changeMember('g', 'leave', backend, 'bob', 'c2');
  const entries = await redis.xrange(keys.messages(0), '-', '+');
  expect(entries).toHaveLength(4);
  expect(seen).toEqual(entries.map(([id]) => [0, id]));
});

test('one that reads what is not archived yet sees the newest entry of it', async () => {
  await conversations.create('g', ['alice'], null, true);
  await conversations.changeMember('g', 'join', backend, 'bob', 'c1');
  await conversations.create('other', ['alice'], null, true);
  const made = seen[1]!;
  seen = [];
  await conversations.read('g', { unsettled: true });
  expect(seen).toEqual([made]);
  await conversations.read('g');
  expect(seen).toHaveLength(1);
});
