import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import { createInboxes, type Inboxes } from '../../../shared/redis/inboxes/inboxes.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { createAmendedInbox } from '../../support/amended-inbox.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/**
 * After a loss history may know amendments that an inbox does not, in a shard that lost nothing too. What they amend is
 * cut into gaps when the user is loaded, so that no page has it as it was.
 */

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());

let keys: Keys;
let inbox: ReturnType<typeof createAmendedInbox>;
let stored: Parameters<Inboxes['install']>[2];
let inboxes: Inboxes;

beforeEach(async () => {
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  await openSlot(redis, keys.shardSlot(0));
  inbox = createAmendedInbox(redis, keys, 'bob', 100);
  stored = [];
  inboxes = createInboxes(
    redis,
    keys,
    { inboxRetentionMs: 3_600_000, importantRetentionMs: 3_600_000 },
    { load: (user) => inboxes.install('epoch', user, stored, true), closed: () => undefined },
  );
});

const lose = () => redis.hset(keys.shardSlot(0), 'loads', randomBytes(6).toString('hex'));
const row = (conversation: string, lastSeq: number, amendSeq: number, left: number | null = null) => ({
  conversation,
  spans: [{ joined: 0, left }],
  lastSeq,
  amendSeq,
  quiet: [],
});
async function seen() {
  const items: string[] = [];
  const missing = new Set<string>();
  for (let after = 0; ;) {
    const page = await inboxes.page('bob', after, 200);
    for (const { text } of page.items) {
      const { conversation, seq } = JSON.parse(text) as { conversation: string; seq: number };
      items.push(`${conversation} ${seq}`);
    }
    for (const { conversation, fromSeq, toSeq } of page.gaps)
      for (let seq = fromSeq; seq <= toSeq && seq < 10; seq++) missing.add(`${conversation} ${seq}`);
    after = page.next;
    if (!page.more) return { items, missing: [...missing].toSorted() };
  }
}

beforeEach(async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inbox.message('h', 1, { text: 'other' });
  await inbox.message('g', 2, { text: 'more' });
});

test('what was amended meanwhile is cut, and the rest stays', async () => {
  await lose();
  stored = [row('g', 3, 3), row('h', 1, 0)];
  expect(await seen()).toEqual({ items: ['h 1'], missing: ['g 1', 'g 2', 'g 3'] });
  expect(await redis.hget(keys.user('bob'), 'count')).toBe('1');
});

test('an amendment that the inbox has stays with what it amends', async () => {
  await inbox.amend('g', 3, 1, 1, { text: 'new' });
  await lose();
  stored = [row('g', 3, 3), row('h', 1, 0)];
  expect(await seen()).toEqual({ items: ['g 1', 'h 1', 'g 2', 'g 3'], missing: [] });
  expect(JSON.stringify(await inboxes.page('bob', 0, 9))).not.toContain('old');
});

test('who had left before the amendment keeps nothing of the group', async () => {
  await lose();
  stored = [row('g', 9, 9, 2), row('h', 1, 0)];
  expect(await seen()).toEqual({ items: ['h 1'], missing: ['g 1', 'g 2'] });
});

test('a message that came since the loss, above what it skipped, makes nothing known', async () => {
  await lose();
  await inbox.message('g', 1_000_004, { text: 'since' }, 0, 'normal', 0);
  stored = [row('g', 1_000_004, 3), row('h', 1, 0)];
  expect((await seen()).items).toEqual(['h 1']);
  // Loaded again after another loss, nothing more is cut.
  await inbox.message('g', 1_000_005, { text: 'next' });
  await lose();
  stored = [row('g', 1_000_005, 3), row('h', 1, 0)];
  expect((await seen()).items).toEqual(['h 1', 'g 1000005']);
  expect(await redis.hget(keys.user('bob'), 'k:g')).toBe(null);
});

test('after the loss of everything, what came since stays', async () => {
  await redis.del(keys.user('bob'), keys.inbox('bob'), ...keys.gapsAndIndex('bob'));
  await lose();
  await inbox.message('g', 1_000_004, { text: 'since' }, 0, 'normal', 0);
  stored = [row('g', 1_000_004, 3)];
  expect((await seen()).items).toEqual(['g 1000004']);
});

test('after the loss of everything, what came since and was amended is cut', async () => {
  await redis.del(keys.user('bob'), keys.inbox('bob'), ...keys.gapsAndIndex('bob'));
  await lose();
  await inbox.message('g', 1_000_004, { text: 'since' }, 0, 'normal', 0);
  // The archive is ahead of the fanout, which finds the amendment known then.
  stored = [row('g', 1_000_005, 1_000_005)];
  expect((await seen()).items).toEqual([]);
  await inbox.amend('g', 1_000_005, 1_000_004, 1, { text: 'new' });
  expect((await seen()).items).toEqual([]);
});

test('after the loss of everything, a later gap hides amendments too', async () => {
  await redis.del(keys.user('bob'), keys.inbox('bob'), ...keys.gapsAndIndex('bob'));
  await lose();
  await inbox.message('g', 1_000_004, { text: 'since' }, 0, 'normal', 0);
  await inbox.message('g', 2_000_004, { text: 'since another' }, 0, 'normal', 0);
  stored = [row('g', 2_000_004, 1_000_005)];
  expect((await seen()).items).toEqual([]);
});

test('who left and came back since the loss keeps nothing of what was amended in between', async () => {
  await lose();
  // History has the amendment 3, the leave 4 and the joining 1,000,005. Between the spans there is no gap.
  await inbox.message('g', 1_000_005, { text: 'back' }, 1_000_004, 'normal', 0);
  const spans = [
    { joined: 0, left: 4 },
    { joined: 1_000_004, left: null },
  ];
  stored = [{ ...row('g', 1_000_005, 3), spans }, row('h', 1, 0)];
  expect((await seen()).items).toEqual(['h 1']);
});
