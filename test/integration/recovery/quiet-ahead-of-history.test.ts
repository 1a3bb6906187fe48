import { randomBytes } from 'node:crypto';
import { afterAll, expect, inject, test } from 'vitest';
import { createConversations } from '../../../shared/redis/conversations/conversations.ts';
import type { InstallForm } from '../../../shared/redis/conversations/install-form.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** After a loss, amendments that Redis still holds and the archive has not stored do not count as unread. */

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());

const one = (seq: number) => ({ fromSeq: seq, toSeq: seq });
const stored: InstallForm = {
  info: { id: 'g', kind: 'group', name: null, createdAt: 1, service: true, users: null, historyDays: null, version: 1 },
  members: [{ user: 'alice', spans: '0-', version: 1 }],
  skips: [],
  lastSeq: 5,
  amendSeq: 3,
  quiet: [one(2), one(3)],
};

test.each([
  ['beside those of history', '3-3,6-6', '2-2,3-3,6-6'],
  [
    'the newest 64',
    Array.from({ length: 64 }, (_, i) => `${i + 6}-${i + 6}`).join(),
    expect.stringMatching(/^6-6,.*,69-69$/),
  ],
  ['none, where Redis held none', '', '2-2,3-3'],
])('%s', async (_, held, wanted) => {
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  await openSlot(redis, keys.partitionSlot(0), keys.messages(0));
  const conversations = createConversations(
    redis,
    keys,
    { mostInInboxes: 500, mostUnsettled: 1000 },
    { load: async () => false, closed: () => undefined, seen: () => undefined },
  );
  await conversations.create('g', ['alice'], null, true);
  if (held !== '') await redis.hset(keys.conversation(0, 'g'), { seq: 69, quiet: held });
  await redis.hset(keys.partitionSlot(0), { line: 'next', complete: 0, generation: 1 });
  await conversations.install('epoch', stored, 'g', '');
  expect(await redis.hget(keys.conversation(0, 'g'), 'quiet')).toEqual(wanted);
});
