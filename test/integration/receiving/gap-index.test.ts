import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Page } from '../../../shared/model/results.ts';
import { appendToInboxes } from '../../../shared/redis/inboxes/inbox-appends.ts';
import { createInboxes } from '../../../shared/redis/inboxes/inboxes.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

/**
 * A page finds its gaps by position, without looking at all others, and tells of each before its position is passed.
 */

const mostEntries = 100;
const user = 'reader';

/** Of its own: the time that it spends on scripts is measured, and other files run at the same time. */
let server: RedisServer;
let redis: Redis;
let keys: Keys;
let lastSeqs: Map<string, number>;

beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis(server.url, { protocol: 2 });
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});
beforeEach(async () => {
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  lastSeqs = new Map();
  await openSlot(redis, keys.shardSlot(0));
});

const inboxes = (retentionMs = 3_600_000) =>
  createInboxes(
    redis,
    keys,
    { inboxRetentionMs: retentionMs, importantRetentionMs: 3_600_000 },
    { load: async () => undefined, closed: () => undefined },
  );

/** A small generator with a seed, so that a failure can be repeated (Marsaglia's xorshift, 32 bits). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

async function append(
  conversation: string,
  count: number,
  options: { missing?: boolean; important?: boolean; at?: number } = {},
): Promise<void> {
  const { missing = false, important = false, at = Date.now() } = options;
  const first = (lastSeqs.get(conversation) ?? 0) + 1;
  const seqs = Array.from({ length: count }, (_, i) => first + i);
  const texts = seqs.map((seq) => ({
    sender: 'writer',
    device: '-',
    at,
    text:
      `{"id":"p0-${seq}","conversation":"${conversation}","seq":${seq},"at":${at},"sender":"writer",` +
      `"clientId":"c","kind":"text","body":1,"class":"${important ? 'important' : 'normal'}"}`,
  }));
  const appends = seqs.map((seq, i) => ({
    text: missing ? -1 : i,
    seq,
    prev: seq - 1,
    joined: 0,
    role: 'member' as const,
    mark: '' as const,
  }));
  await appendToInboxes(redis, keys, mostEntries, texts, [{ user, conversation, appends }], false);
  lastSeqs.set(conversation, first + count - 1);
}

type Record = { conversation: string; from: number; to: number; first: number; last: number };

async function recordsInHash(): Promise<Record[]> {
  const all = Object.entries(await redis.hgetall(keys.gaps(user)));
  return all.flatMap(([conversation, text]) =>
    text.split(';').map((record) => {
      const [from, to, first, last] = record.split(':').map(Number) as [number, number, number, number];
      return { conversation, from, to, first, last };
    }),
  );
}

const member = ({ conversation, from, to, first, last }: Record): string =>
  `${from}:${to}:${first}:${last}:${conversation}`;

async function expectIndexed(): Promise<void> {
  const records = await recordsInHash();
  const [, byLast, byFirst] = keys.gapsAndIndex(user) as [string, string, string];
  expect((await redis.zrange(byLast, '0', '-1')).sort()).toEqual(['*', ...records.map(member)].sort());
  expect((await redis.zrange(byFirst, '0', '-1')).sort()).toEqual(
    records
      .filter(({ first, last }) => first < last)
      .map(member)
      .sort(),
  );
  for (const record of records) {
    expect(Number(await redis.zscore(byLast, member(record)))).toBe(record.last);
    if (record.first < record.last) expect(Number(await redis.zscore(byFirst, member(record)))).toBe(record.first);
  }
}

/** Walks the pages above `after`, and checks what every page promises. */
async function walk(after: number, limit: number): Promise<Page[]> {
  const records = await recordsInHash();
  const pages: Page[] = [];
  const told = new Map<string, Set<number>>();
  const tell = (conversation: string, from: number, to: number): void => {
    const seqs = told.get(conversation) ?? new Set();
    told.set(conversation, seqs);
    for (let seq = from; seq <= to; seq++) seqs.add(seq);
  };
  for (let from = after; ;) {
    const page = await inboxes().page(user, from, limit);
    pages.push(page);
    expect(page.items.length).toBeLessThanOrEqual(limit);
    const places = page.gaps.map(({ position }) => position);
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    for (const position of places) expect(position > from && position <= page.next).toBe(true);
    if (page.items.length > 0) expect(Math.max(0, ...places)).toBeLessThanOrEqual(page.items.at(-1)!.position);
    for (const { text } of page.items) {
      const { conversation, seq } = JSON.parse(text) as { conversation: string; seq: number };
      tell(conversation, seq, seq);
    }
    for (const { conversation, fromSeq, toSeq } of page.gaps) tell(conversation, fromSeq, toSeq);
    // Nothing is passed that was not told.
    for (const { conversation, from: low, to: high, last } of records) {
      if (last <= after || last > page.next) continue;
      for (let seq = low; seq <= high; seq++)
        expect(told.get(conversation)?.has(seq), `${conversation} ${seq} above ${after}`).toBe(true);
    }
    if (!page.more) {
      expect(page.next).toBe(page.head);
      break;
    }
    expect(page.next).toBeGreaterThan(from);
    from = page.next;
  }
  if (after === 0) for (const [conversation, last] of lastSeqs) expect(told.get(conversation)?.size ?? 0).toBe(last);
  return pages;
}

test.each([1, 2, 3, 4])(
  'random inboxes: the index is what the records are, and pages tell everything in order (seed %i)',
  async (seed) => {
    const random = createRandom(seed);
    const longAgo = Date.now() - 1_800_000;
    for (let step = 0; step < 400; step++) {
      const conversation = `c${random(random(3) === 0 ? 40 : 4)}`;
      await append(conversation, 1 + random(4), {
        missing: random(12) === 0,
        important: random(5) === 0,
        at: random(3) === 0 ? longAgo : Date.now(),
      });
      if (random(60) === 0) await inboxes(600_000).page(user, 0, 1);
      if (step % 50 === 49) await expectIndexed();
    }
    const { head } = await inboxes().page(user, 0, 1);
    for (const limit of [1, 7, 200]) await walk(0, limit);
    for (let i = 0; i < 10; i++) await walk(random(head), 1 + random(30));
  },
);

test('more gaps than fit a page come in several, also where one spans several pages', async () => {
  await append('wide', 1, { at: 0 });
  for (let i = 0; i < 450; i++) await append(`c${i}`, 1, { missing: true });
  await append('wide', 1);
  await append('wide', 1, { at: 0 });
  const pages = await walk(0, 200);
  expect(pages.length).toBe(3);
  for (const { gaps } of pages) expect(gaps.length).toBeLessThanOrEqual(400);
});

test('an inbox of a version without the index gets one when it is read, and when a gap is added', async () => {
  const [, byLast, byFirst] = keys.gapsAndIndex(user) as [string, string, string];
  for (let i = 0; i < 30; i++) await append(`c${i % 7}`, 1, { missing: i % 2 === 0 });
  const before = await walk(0, 200);
  await redis.del(byLast, byFirst);
  expect(await walk(0, 200)).toEqual(before);
  await expectIndexed();
  await redis.del(byLast, byFirst);
  await append('c3', 1, { missing: true });
  await expectIndexed();
});

test('a full inbox cuts the loudest conversation, also one that became loud long ago', async () => {
  for (let i = 0; i < 60; i++) await append('loud', 1);
  for (let i = 0; i < 80; i++) await append(`quiet${i}`, 1);
  const { items } = await inboxes().page(user, 0, 200);
  const counts = { loud: 0, quiet: 0 };
  for (const { text } of items) counts[text.includes('"conversation":"loud"') ? 'loud' : 'quiet'] += 1;
  // It is cut until it holds a quarter; only then the oldest of all go, which are its own.
  expect(counts.quiet).toBe(80);
  expect(counts.loud).toBeLessThanOrEqual(25);
  expect(await redis.hget(keys.user(user), 'loud')).toBe(' ');
});

test('what a page costs does not grow with the gaps and conversations of the inbox', async () => {
  /** The median of many calls: one during which Redis had to wait for the processor counts for no more than itself. */
  async function cost(): Promise<number> {
    const costs: number[] = [];
    for (let i = 0; i < 41; i++) {
      const before = await spent();
      await inboxes().page(user, 0, 1);
      costs.push((await spent()) - before);
    }
    return costs.sort((one, other) => one - other)[20]!;
  }
  /** Microseconds that Redis has spent on scripts. */
  async function spent(): Promise<number> {
    return Number(/cmdstat_evalsha:.*?usec=(\d+)/.exec(await redis.info('commandstats'))![1]);
  }
  for (let i = 0; i < 210; i++) await append(`c${i}`, 1, { missing: true });
  const few = await cost();
  for (let i = 210; i < 4000; i++) await append(`c${i}`, 1, { missing: i % 2 === 0 });
  const many = await cost();
  expect(many / few).toBeLessThan(3);
});
