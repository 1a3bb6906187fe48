import { randomBytes } from 'node:crypto';
import { afterAll, beforeEach, expect, inject, test } from 'vitest';
import { createInboxes } from '../../../shared/redis/inboxes/inboxes.ts';
import { unreadOf } from '../../../shared/redis/inboxes/unread.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { createAmendedInbox } from '../../support/amended-inbox.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** What amendments lay over an inbox: as pages show it, as it is counted, and when it goes. */

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());
const mostEntries = 100;
let keys: Keys;
let inbox: ReturnType<typeof createAmendedInbox>;
let inboxes: ReturnType<typeof createInboxes>;

const openInboxes = (retentionMs = 3_600_000) =>
  createInboxes(
    redis,
    keys,
    { inboxRetentionMs: retentionMs, importantRetentionMs: 3_600_000 },
    { load: async () => undefined, closed: () => undefined },
  );

beforeEach(async () => {
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  await openSlot(redis, keys.shardSlot(0));
  inbox = createAmendedInbox(redis, keys, 'bob', mostEntries);
  inboxes = openInboxes();
});

type Read = { seq: number; body: unknown; amended?: unknown };
async function read(after = 0): Promise<Read[]> {
  const { items } = await inboxes.page('bob', after, 200);
  return items.map(({ text }) => {
    const { seq, body, amended } = JSON.parse(text) as Read;
    return { seq, body, ...(amended === undefined ? {} : { amended }) };
  });
}
const stateOf = async (conversation: string) => (await inboxes.conversationState('bob', conversation))!;
const overlays = () => redis.hgetall(keys.overlays('bob'));

const by = (action: string, version: number, amendSeq: number) => ({
  action,
  by: 'alice',
  at: 2000,
  version,
  amendSeq,
});

test('an edit lies over its message, and its body comes once more with the amendment', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inbox.message('g', 2, { text: 'other' });
  await inbox.amend('g', 3, 1, 1, { text: 'new' });
  expect(await read()).toEqual([
    { seq: 1, body: { text: 'new' }, amended: by('edit', 1, 3) },
    { seq: 2, body: { text: 'other' } },
    { seq: 3, body: { seq: 1, action: 'edit', version: 1, body: { text: 'new' } } },
  ]);
  expect(await inboxes.textsAt('bob', [1, 2, 9])).toEqual([
    expect.stringContaining('"text":"new"'),
    expect.stringContaining('"text":"other"'),
    null,
  ]);
});

test('of two edits the later one is in force, and the earlier one says that it is superseded', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inbox.amend('g', 2, 1, 1, { text: 'first' });
  await inbox.amend('g', 3, 1, 2, { text: 'second' });
  expect(await read()).toEqual([
    { seq: 1, body: { text: 'second' }, amended: by('edit', 2, 3) },
    { seq: 2, body: { seq: 1, action: 'edit', version: 1, superseded: true } },
    { seq: 3, body: { seq: 1, action: 'edit', version: 2, body: { text: 'second' } } },
  ]);
  expect(JSON.stringify(await overlays())).not.toContain('first');
});

test('a recall leaves no body anywhere on a page', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inbox.amend('g', 2, 1, 1, { text: 'first' });
  await inbox.amend('g', 3, 1, 2, null);
  expect(await read()).toEqual([
    { seq: 1, body: null, amended: by('recall', 2, 3) },
    { seq: 2, body: { seq: 1, action: 'edit', version: 1, superseded: true } },
    { seq: 3, body: { seq: 1, action: 'recall', version: 2 } },
  ]);
});

test('a version that was given twice makes nothing newer: the higher seq does', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inbox.amend('g', 2, 1, 2, { text: 'edited' });
  await inbox.amend('g', 3, 1, 2, null);
  expect((await read())[0]).toEqual({ seq: 1, body: null, amended: by('recall', 2, 3) });
});

test('an amendment that is there already writes nothing again', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inbox.amend('g', 2, 1, 1, { text: 'new' });
  await redis.del(keys.overlays('bob'));
  expect(await inbox.amend('g', 2, 1, 1, { text: 'new' })).toBe('skipped');
  expect(await overlays()).toEqual({});
});

test('who does not see the message gets its amendments bare, and no overlay', async () => {
  await inbox.message('g', 5, { text: 'joined' }, 4);
  await inbox.amend('g', 6, 1, 1, { text: 'secret' }, { joined: 4, sees: false });
  expect((await read())[1]).toEqual({ seq: 6, body: { seq: 1, action: 'edit', version: 1 } });
  expect(await overlays()).toEqual({});
});

test('who sees the message and not its newest amendment is withheld the body', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inbox.amend('g', 2, 1, 1, { text: 'first' });
  await inbox.amend('g', 9, 1, 2, { text: 'later' }, { role: 'over', sees: false });
  expect(await read()).toEqual([
    { seq: 1, body: null, amended: { action: 'withheld' } },
    { seq: 2, body: { seq: 1, action: 'edit', version: 1, superseded: true } },
  ]);
  // A late repetition of an earlier one changes nothing.
  await inbox.amend('g', 3, 1, 2, { text: 'late' }, { role: 'over' });
  expect((await read())[0]).toEqual({ seq: 1, body: null, amended: { action: 'withheld' } });
  expect((await inboxes.page('bob', 0, 10)).head).toBe(2);
});

test('an overlay goes with the entry of its amendment, and one without an entry once nothing needs it', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inbox.message('g', 2, { text: 'other' });
  await inbox.amend('g', 3, 1, 1, { text: 'new' });
  await inbox.amend('g', 9, 2, 1, { text: 'unseen' }, { role: 'over', sees: false });
  await inboxes.sweepOverlays('bob');
  expect(Object.keys(await overlays()).toSorted()).toEqual(['g:1', 'g:2']);

  await redis.xdel(keys.inbox('bob'), '2-0');
  await inboxes.sweepOverlays('bob');
  expect(Object.keys(await overlays())).toEqual(['g:1']);
  // Everything is too old now, also what was written in this very millisecond.
  inboxes = openInboxes(-1);
  expect(await read()).toEqual([]);
  expect(await overlays()).toEqual({});
});

test('10,000 edits of one message, and of as many messages, stay bounded', { timeout: 60_000 }, async () => {
  await inbox.message('g', 1, { text: 'old' });
  for (let i = 1; i <= 5000; i++) await inbox.amend('g', 1 + i, 1, i, { text: `edit ${i}` });
  expect(Object.keys(await overlays())).toEqual(['g:1']);
  for (let i = 1; i <= 5000; i++) await inbox.amend('g', 5001 + i, i + 1, 1, { text: `edit ${i}` });
  expect(await redis.xlen(keys.inbox('bob'))).toBeLessThanOrEqual(mostEntries + 2);
  expect(await redis.hlen(keys.overlays('bob'))).toBeLessThanOrEqual(mostEntries + 2);
  expect((await redis.hget(keys.user('bob'), 'q:g'))!.length).toBeLessThan(64 * 14);
  for (let i = 1; i <= 1000; i++)
    await inbox.amend('g', 20_000 + i, 100_000 + i, 1, { text: 'x' }, { role: 'over', sees: false });
  expect(await redis.hlen(keys.overlays('bob'))).toBeLessThanOrEqual(2 * mostEntries);
});

test('an important amendment that looks older than its message by a clock set back does not go before it', async () => {
  await inbox.message('g', 1, { text: 'old' }, 0, 'important');
  await inbox.amend('g', 2, 1, 1, null, { messageClass: 'important', at: 1 });
  // Normal messages expire at once, so that the walk of the page reaches both.
  inboxes = openInboxes(0);
  await new Promise((resolve) => {
    setTimeout(resolve, 5);
  });
  expect((await read())[0]).toMatchObject({ seq: 1, body: null });
});

test('a page with many overlays shows the same, and stays within its bytes', async () => {
  const big = 'x'.repeat(60_000);
  for (let seq = 1; seq <= 40; seq++) await inbox.message('g', seq, { text: `old ${seq}` });
  for (let seq = 1; seq <= 40; seq++) await inbox.amend('g', 40 + seq, seq, 1, { text: `${big} ${seq}` });
  const seen: number[] = [];
  for (let after = 0; ;) {
    const page = await inboxes.page('bob', after, 200);
    const bytes = page.items.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
    expect(bytes).toBeLessThan(512 * 1024);
    for (const { text } of page.items) {
      const { seq, body } = JSON.parse(text) as { seq: number; body: { text?: string; body?: { text: string } } };
      seen.push(seq);
      expect((body.text ?? body.body!.text).slice(60_001)).toBe(`${seq > 40 ? seq - 40 : seq}`);
    }
    after = page.next;
    if (!page.more) break;
  }
  expect(seen).toEqual(Array.from({ length: 80 }, (_, i) => i + 1));
});

test('more than 64 overlays: each page has those of its entries', async () => {
  for (let seq = 1; seq <= 45; seq++) await inbox.message('g', seq, { text: `old ${seq}` });
  for (let seq = 1; seq <= 45; seq++) await inbox.amend('g', 45 + seq, seq, 1, { text: `new ${seq}` });
  for (let seq = 1; seq <= 25; seq++) await inbox.message('h', seq, { text: `plain ${seq}` });
  for (let seq = 1; seq <= 30; seq++) await inbox.amend('h', 25 + seq, seq, 1, { text: `new ${seq}` });
  for (let after = 0; ;) {
    const page = await inboxes.page('bob', after, 7);
    for (const { text } of page.items) expect(text).not.toMatch(/old|plain|superseded/);
    after = page.next;
    if (!page.more) break;
  }
});

test('amendments and recalled messages do not count as unread, and the newest that counts is shown', async () => {
  for (let seq = 1; seq <= 3; seq++) await inbox.message('g', seq, { text: `${seq}` });
  const before = await stateOf('g');
  expect([unreadOf(before), before.position]).toEqual([3, 3]);

  await inbox.amend('g', 4, 2, 1, { text: 'two' });
  expect(unreadOf(await stateOf('g'))).toBe(3);
  expect(await stateOf('g')).toMatchObject({ position: 3, lastSeq: 4, at: before.at });

  await inbox.amend('g', 5, 3, 1, null);
  expect(unreadOf(await stateOf('g'))).toBe(2);
  expect(await stateOf('g')).toMatchObject({ position: 2, lastSeq: 5, at: before.at });

  await inbox.amend('g', 6, 1, 1, null);
  expect([unreadOf(await stateOf('g')), (await stateOf('g')).position]).toEqual([1, 2]);
  await inbox.amend('g', 7, 2, 2, null);
  expect([unreadOf(await stateOf('g')), (await stateOf('g')).position]).toEqual([0, 0]);

  await inbox.message('g', 8, { text: 'new' });
  expect([unreadOf(await stateOf('g')), (await stateOf('g')).position]).toEqual([1, 8]);
});

test('an amendment of what was read is read', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await inboxes.read('bob', 'g', 1, 0);
  await inbox.amend('g', 2, 1, 1, null);
  expect(await stateOf('g')).toMatchObject({ readSeq: 2, quiet: [] });
  await inbox.message('g', 3, { text: 'next' });
  await inbox.amend('g', 4, 3, 1, { text: 'edited' });
  await inboxes.read('bob', 'g', 4, 0);
  expect(await redis.hget(keys.user('bob'), 'q:g')).toBe(null);
});

test('an amendment that comes late does not take back what was read meanwhile', async () => {
  await inbox.message('g', 1, 'one');
  // The user has read up to 5 in history, and the inbox is behind.
  expect(await inboxes.read('bob', 'g', 5, 0)).toMatchObject({ seq: 5 });
  await inbox.amend('g', 2, 1, 1, 'other');
  await inbox.message('g', 3, 'three');
  await inbox.amend('g', 4, 3, 1, null);
  expect(await stateOf('g')).toMatchObject({ lastSeq: 4, readSeq: 5 });
  await inbox.message('g', 5, 'five');
  await inbox.message('g', 6, 'six');
  expect(unreadOf(await stateOf('g'))).toBe(1);
});

test('nobody waits for a notification because of an amendment', async () => {
  await inbox.message('g', 1, { text: 'old' });
  await redis.hdel(keys.user('bob'), 'waiting');
  await inbox.amend('g', 2, 1, 1, { text: 'new' });
  expect(await redis.hget(keys.user('bob'), 'waiting')).toBe(null);
  // But of messages that are missing before it.
  await inbox.amend('g', 9, 1, 2, { text: 'newer' }, { prev: 0 });
  expect(await redis.hget(keys.user('bob'), 'waiting')).toMatch(/ 3$/);
});
