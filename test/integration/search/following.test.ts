import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import { blockOfOne } from '../../../shared/history/block.ts';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { ArchiveWrite, HistoryStore } from '../../../shared/history/store.ts';
import { amendmentKind } from '../../../shared/model/amendment.ts';
import { messageTail, messageText } from '../../../shared/model/message-text.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { createSearchNotices, followSearchNotices, type SearchNotices } from '../../../shared/redis/search-notices.ts';
import { parseQuery } from '../../../shared/search/query.ts';
import type { SearchIndex } from '../../../shared/search/search-index.ts';
import { openIndexThread } from '../../../shared/search/sqlite/thread.ts';
import { createCatchingUp } from '../../../workers/search/catching-up.ts';
import { createFollower } from '../../../workers/search/follower.ts';
import { createReading } from '../../../workers/search/reading.ts';
import { createSweep } from '../../../workers/search/sweep.ts';
import { noting } from '../../support/noting.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** What comes from history into the index, by which way, and what does not. */

let redis: Redis;
let dir: string;
beforeAll(() => {
  redis = connectRedis(inject('redisUrl'));
  dir = mkdtempSync(join(tmpdir(), 'restante-following-'));
});
afterAll(() => {
  redis.disconnect();
  rmSync(dir, { recursive: true, force: true });
});

let keys: Keys;
let notices: SearchNotices;
let history: HistoryStore;
let index: SearchIndex;
let path: string;
let running: { stop(): Promise<void> }[];
let lines: { event: string }[];

beforeEach(() => {
  const name = randomBytes(6).toString('hex');
  keys = createKeys(`t${name}`, 4, 64);
  path = join(dir, `${name}.db`);
  history = openSqliteStore(join(dir, `${name}-history.db`));
  index = openIndexThread(path);
  notices = createSearchNotices(redis, keys, () => undefined);
  running = [];
  lines = [];
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.stop()));
  await index.close();
  await history.close();
});

/** Starts a follower of its own. `sweepEveryMs`: far away, unless a test is about sweeps. */
function follow(owner: string, sweepEveryMs = 600_000, kinds = ['text'], of: HistoryStore = history) {
  const { faults, metrics, lines: said } = noting();
  const say = (line: { event: string }) => void lines.push(line);
  const log = { debug: say, info: say, warn: say, error: say };
  const own = openIndexThread(path);
  const blocking = redis.duplicate();
  const catchingUp = createCatchingUp({ index: own, owner, reading: createReading(of, kinds), metrics, log });
  const follower = createFollower({
    index: own,
    owner,
    recipe: `1 ${kinds.join(',')}`,
    notices: followSearchNotices(redis, blocking, keys, 100),
    catchingUp,
    sweep: createSweep({ history: of, index: own, owner, catchingUp }),
    faults,
    log,
    sweepEveryMs,
  });
  let stopped: Promise<void> | null = null;
  const one = {
    faults: said,
    stop: () =>
      (stopped ??= (async () => {
        blocking.disconnect();
        await follower.stop();
        await own.close();
      })()),
  };
  running.push(one);
  return one;
}

/** Resolves once a follower has compared everything. */
const current = () =>
  vi.waitFor(async () => expect((await index.freshness()).currentAt).toBeGreaterThan(0), { timeout: 10_000 });

async function found(q: string): Promise<string[]> {
  const { hits } = await index.ask({
    query: parseQuery(q),
    conversations: null,
    sender: null,
    kind: null,
    since: 0,
    until: Number.MAX_SAFE_INTEGER,
    after: null,
    limit: 100,
  });
  return hits.map(({ conversation, seq }) => `${conversation}:${seq}`).toSorted();
}
const until = (q: string, hits: string[]) =>
  vi.waitFor(async () => expect(await found(q)).toEqual(hits), { timeout: 10_000, interval: 20 });

const nothing: ArchiveWrite = {
  progress: null,
  conversations: [],
  members: [],
  skips: [],
  amendments: [],
  blocks: [],
};
const start = Date.UTC(2026, 10, 1);

const textOf = (conversation: string, seq: number, body: unknown, kind = 'text', at = start + seq): string =>
  messageText(0, {
    streamId: `${at}-0`,
    conversation,
    seq,
    at,
    tail: messageTail('alice', `c${seq}`, kind, JSON.stringify(body), 'normal'),
  });

const blockOf = (conversation: string, seq: number, body: unknown, kind = 'text', at = start + seq) =>
  blockOfOne(conversation, seq, at, textOf(conversation, seq, body, kind, at));

const group = (id: string) => ({
  id,
  kind: 'group' as const,
  name: null,
  createdAt: start,
  service: false,
  users: null,
  historyDays: null,
  version: 1,
});

/** Writes messages of a conversation, one block each. */
async function write(conversation: string, bodies: Record<number, unknown>, told = false): Promise<void> {
  const blocks = Object.entries(bodies).map(([seq, body]) => blockOf(conversation, Number(seq), body));
  await history.write({ ...nothing, conversations: [group(conversation)], blocks });
  if (told) notices.written([conversation]);
}

/** Writes an amendment as the archive does: its row, and its message. `body` null: a recall. */
async function amend(conversation: string, seq: number, amendSeq: number, body: unknown): Promise<void> {
  const action = body === null ? 'recall' : 'edit';
  const json = body === null ? null : JSON.stringify(body);
  const at = start + amendSeq;
  await history.write({
    ...nothing,
    amendments: [{ conversation, seq, amendSeq, version: 1, action, by: 'alice', at, body: json }],
    blocks: [blockOf(conversation, amendSeq, { seq, action, version: 1 }, amendmentKind)],
  });
  notices.written([conversation]);
}

test('indexes what there is, then what it is told of', async () => {
  await write('a', { 1: 'hello', 2: { text: 'hello 2' }, 3: 42 });
  follow('one');
  await until('hello', ['a:1', 'a:2']);
  await current();
  await write('a', { 4: 'hello' }, true);
  await write('b', { 1: 'hello' }, true);
  await until('hello', ['a:1', 'a:2', 'a:4', 'b:1']);
  expect(await index.places('live', ['a', 'b'])).toEqual(
    new Map([
      ['a', { indexedTo: 4, floor: 1 }],
      ['b', { indexedTo: 1, floor: 1 }],
    ]),
  );
});

test('finds by comparing what it was not told of', async () => {
  follow('one', 200);
  await current();
  await write('a', { 1: 'hello' });
  await until('hello', ['a:1']);
});

test('reads a message again when it meets its amendment', async () => {
  await write('a', { 1: 'old', 2: 'secret', 3: 'stays' });
  follow('one');
  await until('old', ['a:1']);
  await current();
  await amend('a', 1, 4, 'new');
  await until('new', ['a:1']);
  expect(await found('old')).toEqual([]);
  await amend('a', 2, 5, null);
  await until('secret', []);
  await amend('a', 1, 6, null);
  await until('new', []);
  expect(await found('stays')).toEqual(['a:3']);
});

test('indexes a message with the amendments that it has by then', async () => {
  await write('a', { 1: 'old', 2: 'secret' });
  await amend('a', 1, 3, 'new');
  await amend('a', 2, 4, null);
  follow('one');
  await until('new', ['a:1']);
  expect(await found('old')).toEqual([]);
  expect(await found('secret')).toEqual([]);
});

test('waits at a hole that history does not record, and passes over one that it does', async () => {
  const now = Date.now();
  await history.write({
    ...nothing,
    conversations: [group('a'), group('b')],
    skips: [{ conversation: 'b', fromSeq: 2, toSeq: 2 }],
    blocks: [1, 3].flatMap((seq) => ['a', 'b'].map((id) => blockOf(id, seq, 'hello', 'text', now + seq))),
  });
  follow('one');
  await until('hello', ['a:1', 'b:1', 'b:3']);
  await current();
  await history.write({ ...nothing, blocks: [blockOf('a', 2, 'hello', 'text', now + 2)] });
  notices.written(['a']);
  await until('hello', ['a:1', 'a:2', 'a:3', 'b:1', 'b:3']);
});

test('takes a message that came late, and what a late amendment says', async () => {
  await history.write({
    ...nothing,
    conversations: [group('a')],
    skips: [
      { conversation: 'a', fromSeq: 2, toSeq: 2 },
      { conversation: 'a', fromSeq: 4, toSeq: 4 },
    ],
    blocks: [1, 3, 5].map((seq) => blockOf('a', seq, 'hello')),
  });
  follow('one');
  await until('hello', ['a:1', 'a:3', 'a:5']);
  await current();
  await write('a', { 2: 'hello' });
  await notices.tell({ type: 'filled', conversation: 'a', seq: 2 });
  await until('hello', ['a:1', 'a:2', 'a:3', 'a:5']);
  await amend('a', 3, 4, 'amended');
  await notices.tell({ type: 'filled', conversation: 'a', seq: 4 });
  await until('amended', ['a:3']);
  expect(await found('hello')).toEqual(['a:1', 'a:2', 'a:5']);
});

test('begins anew with a conversation that is indexed further than history goes', async () => {
  await write('a', { 1: 'old', 2: 'old', 3: 'old' });
  const first = follow('one');
  await until('old', ['a:1', 'a:2', 'a:3']);
  await current();
  await first.stop();
  const other = openSqliteStore(join(dir, `${randomBytes(6).toString('hex')}.db`));
  await other.write({ ...nothing, conversations: [group('a')], blocks: [blockOf('a', 1, 'new')] });
  follow('two', 600_000, ['text'], other);
  await until('new', ['a:1']);
  expect(await found('old')).toEqual([]);
  await Promise.all(running.map((one) => one.stop()));
  await other.close();
});

test('lets one of two write, and another one go on where it ended', async () => {
  const one = follow('one');
  await current();
  follow('two');
  await write('a', { 1: 'hello' }, true);
  await until('hello', ['a:1']);
  expect((await index.state()).owner).toBe('one');
  await one.stop();
  await write('a', { 2: 'hello' }, true);
  await until('hello', ['a:1', 'a:2']);
  expect((await index.state()).owner).toBe('two');
});

test('makes everything again beside what answers, and after other kinds', async () => {
  await write('a', { 1: 'hello', 2: 'hello' });
  await history.write({ ...nothing, conversations: [group('b')], blocks: [blockOf('b', 1, 'hello', 'note')] });
  const one = follow('one');
  await until('hello', ['a:1', 'a:2']);
  await current();
  // What the index lists wrongly is gone afterwards.
  await index.write('one', 'live', [
    {
      conversation: 'x',
      docs: [{ seq: 1, at: start, sender: 's', kind: 'text', version: 0, text: 'wrong' }],
      gone: [],
      indexedFrom: 0,
      indexedTo: 1,
    },
  ]);
  expect(await found('wrong')).toEqual(['x:1']);
  await notices.tell({ type: 'rebuild' });
  await vi.waitFor(() => expect(lines.map(({ event }) => event)).toContain('search_rebuilt'), { timeout: 10_000 });
  expect(await found('wrong')).toEqual([]);
  expect(await found('hello')).toEqual(['a:1', 'a:2']);
  await write('a', { 3: 'hello' }, true);
  await until('hello', ['a:1', 'a:2', 'a:3']);
  await one.stop();
  follow('two', 600_000, ['text', 'note']);
  await until('hello', ['a:1', 'a:2', 'a:3', 'b:1']);
});

test('compares again after a rebuild that ended while it compared', async () => {
  await write('a', { 1: 'hello' });
  const one = follow('one');
  await until('hello', ['a:1']);
  await current();
  await one.stop();
  const comparing = Promise.withResolvers<void>();
  let calls = 0;
  const slow: HistoryStore = {
    ...history,
    async lastSeqs(ids) {
      const seqs = await history.lastSeqs(ids);
      const call = ++calls;
      // The rebuild begins; then the live index is compared, until the rebuild has ended.
      if (call === 1) await comparing.promise;
      if (call === 2) {
        comparing.resolve();
        await vi.waitFor(() => expect(lines.map(({ event }) => event)).toContain('search_rebuilt'), 10_000);
      }
      // The last pass of the rebuild misses this message.
      if (call === 3) await write('a', { 2: 'hello' });
      return seqs;
    },
  };
  follow('two', 600_000, ['text', 'note'], slow);
  await until('hello', ['a:1', 'a:2']);
});

test('reads one conversation again', async () => {
  await write('a', { 1: 'hello' });
  follow('one');
  await until('hello', ['a:1']);
  await current();
  await index.write('one', 'live', [{ conversation: 'a', docs: [], gone: [1], indexedFrom: 0, indexedTo: 1 }]);
  expect(await found('hello')).toEqual([]);
  await notices.tell({ type: 'again', conversation: 'a' });
  await until('hello', ['a:1']);
});

test('goes on while one conversation cannot be read, and says so', async () => {
  const broken: HistoryStore = {
    ...history,
    blocks: (conversation, ...rest) =>
      conversation === 'bad' ? Promise.reject(new Error('no such object')) : history.blocks(conversation, ...rest),
  };
  await write('bad', { 1: 'hello' });
  await write('good', { 1: 'hello' });
  follow('one', 600_000, ['text'], broken);
  await until('hello', ['good:1']);
  await current();
  expect(lines.map(({ event }) => event)).toContain('search_conversation_failed');
  await write('good', { 2: 'hello' }, true);
  await until('hello', ['good:1', 'good:2']);
});

test('compares everything again when notices were trimmed before it read them', async () => {
  follow('one');
  await current();
  await write('a', { 1: 'hello' });
  await redis.xtrim(keys.searchNotices, 'MAXLEN', 0);
  const told = redis.pipeline();
  for (let i = 0; i < 3000; i++) told.xadd(keys.searchNotices, 'MAXLEN', 600, '*', 'written', 'elsewhere');
  await told.exec();
  await until('hello', ['a:1']);
});
