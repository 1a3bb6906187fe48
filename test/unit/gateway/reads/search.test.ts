import { beforeEach, expect, test } from 'vitest';
import type { HistoryPage } from '../../../../gateway/reads/history-pages.ts';
import { createSearch, type SearchAsk } from '../../../../gateway/reads/search.ts';
import { notFound, retryLater } from '../../../../shared/model/errors.ts';
import { messageTail, messageText } from '../../../../shared/model/message-text.ts';
import type { SearchAnswer, SearchCall } from '../../../../shared/search/call.ts';
import type { Hit, Question } from '../../../../shared/search/search-index.ts';
import { noting } from '../../../support/noting.ts';

/** What becomes of the hits of an index that says whatever it likes. */

type Found = Extract<SearchAnswer, { type: 'found' }>;
let answers: Partial<Found>[];
let questions: Question[];
let texts: Map<string, string>;
let reads: { conversation: string; user: string | null; after: number; before: number; limit: number }[];
let dropped: () => Promise<Record<string, number>>;
let search: ReturnType<typeof createSearch>;

const hit = (conversation: string, seq: number, rank = 1000 - seq): Hit => ({ conversation, seq, rank });
const put = (conversation: string, seq: number, body: unknown, kind = 'text', sender = 'alice'): void =>
  void texts.set(
    `${conversation} ${seq}`,
    messageText(0, {
      streamId: `${seq}-0`,
      conversation,
      seq,
      at: 1000 * seq,
      tail: messageTail(sender, `c${seq}`, kind, JSON.stringify(body), 'normal'),
    }),
  );

beforeEach(() => {
  answers = [];
  questions = [];
  reads = [];
  texts = new Map();
  const { metrics } = noting();
  dropped = async () =>
    Object.fromEntries(
      (await metrics.searchDropped.get()).values.map(({ labels, value }) => [String(labels.why), value]),
    );
  const states = ['mine', 'left'].map((conversation) => ({ conversation }));
  search = createSearch({
    questions: {
      async ask(call: SearchCall) {
        if (call.type !== 'ask') throw new Error('not asked');
        questions.push(call.question);
        const empty = { type: 'found' as const, hits: [], next: null, behindMs: 0, rebuilding: false };
        return { ...empty, ...answers.shift() };
      },
    },
    cursors: { write: async (_about, rank) => `at-${rank}`, read: async (_about, next) => Number(next.slice(3)) },
    inboxes: { user: async () => ({ conversations: states }) as never },
    history: {
      async page(conversation, user, { after = 0, before = 0, limit = 0 }): Promise<HistoryPage> {
        reads.push({ conversation, user, after, before, limit });
        if (conversation === 'foreign') throw notFound();
        if (conversation === 'away') throw retryLater('history does not answer now');
        const messages: string[] = [];
        for (let seq = after + 1; seq < before; seq++) {
          const text = texts.get(`${conversation} ${seq}`);
          if (text !== undefined) messages.push(text);
        }
        return { conversation, messages, more: false, absent: [] };
      },
    },
    kinds: ['text'],
    metrics,
  });
});

const seqs = (messages: string[]): number[] => messages.map((text) => (JSON.parse(text) as { seq: number }).seq);
const ask = (q: string, more: Partial<SearchAsk> = {}) => search('bob', { q, limit: 20, ...more });

test('shows only what history gives and what says what was asked for', async () => {
  put('mine', 3, 'red');
  put('mine', 2, 'blue');
  put('mine', 1, 'red', 'sticker');
  answers = [{ hits: [hit('mine', 4), hit('mine', 3), hit('mine', 2), hit('mine', 1), hit('foreign', 1)] }];
  const page = await ask('red');
  expect([seqs(page.messages), page.more, page.next]).toEqual([[3], false, undefined]);
  expect(await dropped()).toEqual({ unseen: 2, changed: 2 });
});

test('compares sender, kind and time as well', async () => {
  for (const seq of [1, 2, 3]) put('mine', seq, 'red', 'text', seq === 2 ? 'carol' : 'alice');
  const hits = [3, 2, 1].map((seq) => hit('mine', seq));
  answers = [{ hits }, { hits }, { hits }, { hits }];
  expect(seqs((await ask('red', { from: 'carol' })).messages)).toEqual([2]);
  expect(seqs((await ask('red', { kind: 'file' })).messages)).toEqual([]);
  expect(seqs((await ask('red', { after: 2000 })).messages)).toEqual([3]);
  expect(seqs((await ask('red', { before: 2000 })).messages)).toEqual([1]);
  expect(questions.map(({ sender, kind, since, until }) => [sender, kind, since, until])).toEqual([
    ['carol', null, 0, Number.MAX_SAFE_INTEGER],
    [null, 'file', 0, Number.MAX_SAFE_INTEGER],
    [null, null, 2001, Number.MAX_SAFE_INTEGER],
    [null, null, 0, 2000],
  ]);
});

test('goes on behind the last message that it shows', async () => {
  for (let seq = 1; seq <= 9; seq++) put('mine', seq, 'red');
  answers = [{ hits: [9, 8, 7, 6].map((seq) => hit('mine', seq)), next: 5 }, {}, { hits: [hit('mine', 9)], next: 77 }];
  const first = await ask('red', { limit: 3 });
  expect([seqs(first.messages), first.more, first.next]).toEqual([[9, 8, 7], true, 'at-993']);
  await ask('red', { limit: 3, next: first.next! });
  expect(questions.map(({ after }) => after)).toEqual([null, 993]);
  const third = await ask('red', { limit: 1 });
  expect([third.more, third.next]).toEqual([true, 'at-77']);
});

test('ends with the last hit, also if the page is full', async () => {
  for (const seq of [1, 2]) put('mine', seq, 'red');
  answers = [{ hits: [hit('mine', 2), hit('mine', 1)], next: null }];
  expect(await ask('red', { limit: 2 })).toMatchObject({ more: false });
});

test('asks on while nothing is confirmed, at most three times', async () => {
  put('mine', 1, 'red');
  answers = [
    { hits: [hit('mine', 9)], next: 50 },
    { hits: [], next: 40 },
    { hits: [hit('mine', 1)], next: null },
  ];
  expect(await ask('red')).toMatchObject({ messages: [texts.get('mine 1')], more: false });
  expect(questions.map(({ after }) => after)).toEqual([null, 50, 40]);
  answers = [{ next: 50 }, { next: 40 }, { next: 30 }, { hits: [hit('mine', 1)] }];
  expect(await ask('red')).toMatchObject({ messages: [], more: true, next: 'at-30' });
});

test('asks about the conversations of the user alone, and about no foreign one', async () => {
  await ask('red');
  await ask('red', { conversation: 'left' });
  await search(null, { q: 'red', limit: 5 });
  await search(null, { q: 'red', limit: 5, conversation: 'any' });
  expect(questions.map(({ conversations }) => conversations)).toEqual([['mine', 'left'], ['left'], null, ['any']]);
  await expect(ask('red', { conversation: 'foreign' })).rejects.toMatchObject({ code: 'not_found' });
  expect(questions).toHaveLength(4);
});

test('reads hits that are close to each other in one piece', async () => {
  answers = [{ hits: [200, 120, 110, 104, 103, 5].map((seq) => hit('mine', seq)) }];
  await ask('red');
  expect(reads.map(({ after, before, limit }) => [after + 1, before - 1, limit])).toEqual([
    [5, 5, 1],
    [103, 120, 18],
    [200, 200, 1],
  ]);
  expect(reads.every(({ user }) => user === 'bob')).toBe(true);
});

test('says that the index is behind', async () => {
  answers = [{ behindMs: 60_001 }, { rebuilding: true }, { behindMs: 59_000 }];
  expect((await ask('red')).indexing).toBe(true);
  expect((await ask('red')).indexing).toBe(true);
  expect((await ask('red')).indexing).toBe(false);
});

test('passes on that history does not answer', async () => {
  answers = [{ hits: [hit('away', 1)] }];
  await expect(ask('red')).rejects.toMatchObject({ code: 'retry_later' });
});
