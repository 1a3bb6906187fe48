import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { parseQuery } from '../../../../../shared/search/query.ts';
import type { Question, SearchDoc, SearchIndex } from '../../../../../shared/search/search-index.ts';
import { leaseMs, openIndexFile } from '../../../../../shared/search/sqlite/index-file.ts';

const dir = mkdtempSync(join(tmpdir(), 'restante-index-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let files = 0;
let path: string;
let index: SearchIndex;
let now: number;
const open = (): SearchIndex => openIndexFile(path, () => now);

beforeEach(async () => {
  now = 1_800_000_000_000;
  path = join(dir, `${files++}.db`);
  index = open();
  await index.hold('me', 'r1', null);
});

const doc = (seq: number, text: string, more: Partial<SearchDoc> = {}): SearchDoc => ({
  seq,
  at: now + seq,
  sender: 'bob',
  kind: 'text',
  version: 0,
  text,
  ...more,
});

const question = (q: string, more: Partial<Question> = {}): Question => ({
  query: parseQuery(q),
  conversations: null,
  sender: null,
  kind: null,
  since: 0,
  until: Number.MAX_SAFE_INTEGER,
  after: null,
  limit: 20,
  ...more,
});

const put = (conversation: string, docs: SearchDoc[], gone: number[] = [], owner = 'me') =>
  index.write(owner, 'live', [
    { conversation, docs, gone, indexedFrom: 0, indexedTo: docs.reduce((most, { seq }) => Math.max(most, seq), 0) },
  ]);

async function found(q: string, more: Partial<Question> = {}): Promise<string[]> {
  const { hits } = await index.ask(question(q, more));
  return hits.map(({ conversation, seq }) => `${conversation}:${seq}`);
}

describe('asking', () => {
  test('finds the newest first, in the conversations that were asked about', async () => {
    await put('a', [doc(1, '我家在上海东边'), doc(2, 'hello'), doc(3, '上海')]);
    await put('b', [doc(1, '上海 hello', { at: now + 10 })]);
    expect(await found('上海')).toEqual(['b:1', 'a:3', 'a:1']);
    expect(await found('海')).toEqual(['b:1', 'a:3', 'a:1']);
    expect(await found('海东')).toEqual(['a:1']);
    expect(await found('上东')).toEqual([]);
    expect(await found('上海 hel')).toEqual(['b:1']);
    expect(await found('上海', { conversations: ['a', 'c'] })).toEqual(['a:3', 'a:1']);
    expect(await found('上海', { conversations: ['c'] })).toEqual([]);
    expect(await found('上海', { conversations: [] })).toEqual([]);
  });

  test('does not take the term of a conversation for a word', async () => {
    await put('a', [doc(1, 'something')]);
    expect(await found('k1')).toEqual([]);
    await put('a', [doc(2, 'k1')]);
    expect(await found('k1')).toEqual(['a:2']);
  });

  test('takes words of its own language for words', async () => {
    await put('a', [doc(1, 'this AND that'), doc(2, 'near or not x')]);
    expect(await found('and')).toEqual(['a:1']);
    expect(await found('not')).toEqual(['a:2']);
    expect(await found('x')).toEqual(['a:2']);
    expect(await found('x:that')).toEqual([]);
    expect(await found('"near or"')).toEqual(['a:2']);
  });

  test('asks by sender, kind and time', async () => {
    await put('a', [doc(1, 'hi', { sender: 'alice' }), doc(2, 'hi', { kind: 'file' }), doc(3, 'hi')]);
    expect(await found('hi', { sender: 'alice' })).toEqual(['a:1']);
    expect(await found('hi', { kind: 'file' })).toEqual(['a:2']);
    expect(await found('hi', { since: now + 2 })).toEqual(['a:3', 'a:2']);
    expect(await found('hi', { until: now + 2 })).toEqual(['a:1']);
  });

  test('goes on where a page ended, each once', async () => {
    await put(
      'a',
      Array.from({ length: 50 }, (_, i) => doc(i + 1, 'hi', { at: now + Math.floor(i / 10) })),
    );
    const seen: number[] = [];
    let after: number | null = null;
    do {
      const page = await index.ask(question('hi', { after, limit: 7 }));
      seen.push(...page.hits.map(({ seq }) => seq));
      after = page.next;
    } while (after !== null);
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(seen.map((seq) => Math.floor((seq - 1) / 10))).toEqual(
      Array.from({ length: 50 }, (_, i) => 4 - Math.floor(i / 10)),
    );
  });

  test('walks where there are more conversations than a question names', async () => {
    const many = Array.from({ length: 300 }, (_, i) => `c${i}`);
    for (const conversation of many) await put(conversation, [doc(1, 'hi')]);
    expect(await found('hi', { conversations: [...many.slice(1), 'c7'], limit: 400 })).toHaveLength(299);
    expect(await found('hi', { conversations: many.map((id) => `x${id}`), limit: 400 })).toEqual([]);
  });
});

describe('writing', () => {
  test('writes a document again only if its version is another one', async () => {
    await put('a', [doc(1, 'old')]);
    await put('a', [doc(1, 'not written')]);
    expect(await found('old')).toEqual(['a:1']);
    await put('a', [doc(1, 'new', { version: 5 })]);
    expect(await found('old')).toEqual([]);
    expect(await found('new')).toEqual(['a:1']);
  });

  test('removes what is gone, and what has no words any more', async () => {
    await put('a', [doc(1, 'one'), doc(2, 'two'), doc(3, 'three')]);
    await put('a', [doc(2, '…', { version: 4 })], [1, 9]);
    expect(await found('one')).toEqual([]);
    expect(await found('two')).toEqual([]);
    expect((await index.state()).docs).toBe(1);
  });

  test('keeps how far a conversation is indexed', async () => {
    await put('a', [doc(1, 'one'), doc(7, 'two')]);
    await put('a', [doc(3, 'late')]);
    expect(await index.places('live', ['a', 'b'])).toEqual(new Map([['a', { indexedTo: 7, floor: 1 }]]));
  });

  test('does not pass over what it does not have', async () => {
    await put('a', [doc(1, 'hi')]);
    const later = { conversation: 'a', docs: [doc(9, 'hi')], gone: [], indexedFrom: 8, indexedTo: 9 };
    await index.write('me', 'live', [later]);
    expect(await index.places('live', ['a'])).toEqual(new Map([['a', { indexedTo: 1, floor: 1 }]]));
    await index.write('me', 'live', [{ ...later, docs: [], indexedFrom: 1, indexedTo: 8 }, later]);
    expect(await index.places('live', ['a'])).toEqual(new Map([['a', { indexedTo: 9, floor: 1 }]]));
    expect(await found('hi')).toEqual(['a:9', 'a:1']);
  });

  test('removes what is below a seq, and takes a late message below it', async () => {
    await put('a', [doc(1, 'hi'), doc(2, 'hi'), doc(3, 'hi')]);
    expect(await index.removeBelow('me', 'live', 'a', 3)).toBe(false);
    expect(await found('hi')).toEqual(['a:3']);
    expect(await index.places('live', ['a'])).toEqual(new Map([['a', { indexedTo: 3, floor: 3 }]]));
    await put('a', [doc(2, 'hi')]);
    expect(await found('hi')).toEqual(['a:3', 'a:2']);
    expect(await index.removeBelow('me', 'live', 'a', 3)).toBe(false);
    expect(await found('hi')).toEqual(['a:3']);
  });

  test('forgets a conversation', async () => {
    await put('a', [doc(1, 'hi')]);
    expect(await index.forget('me', 'live', 'a')).toBe(false);
    expect(await found('hi')).toEqual([]);
    expect(await index.places('live', ['a'])).toEqual(new Map());
  });

  test('keeps more messages of one millisecond apart than a rank has room for', async () => {
    const docs = Array.from({ length: 600 }, (_, i) => doc(i + 1, 'hi', { at: now }));
    await put('a', docs);
    expect((await index.state()).docs).toBe(600);
    await put('a', docs);
    expect((await index.state()).docs).toBe(600);
  });
});

describe('the lease', () => {
  test('lets one write, until it lapses or is released', async () => {
    const other = open();
    expect(await other.hold('other', 'r1', null)).toMatchObject({ held: false });
    expect(await put('a', [doc(1, 'hi')], [], 'other')).toBe(false);
    now += leaseMs;
    expect(await other.hold('other', 'r1', null)).toMatchObject({ held: true });
    expect(await put('a', [doc(1, 'hi')])).toBe(false);
    expect(await index.removeBelow('me', 'live', 'a', 3)).toBe(null);
    expect(await found('hi')).toEqual([]);
    await other.release('other');
    expect(await index.hold('me', 'r1', null)).toMatchObject({ held: true });
    await other.close();
  });

  test('takes a lease of a time that has not come for a lapsed one', async () => {
    now -= leaseMs + 1;
    expect(await index.hold('other', 'r1', null)).toMatchObject({ held: true });
  });

  test('notes how current the index is', async () => {
    expect(await index.freshness()).toEqual({ currentAt: 0, rebuilding: false });
    await index.hold('me', 'r1', 17);
    await index.hold('me', 'r1', null);
    expect(await index.freshness()).toEqual({ currentAt: 17, rebuilding: false });
  });
});

describe('rebuilding', () => {
  test('answers from the old index until the new one takes its place', async () => {
    await put('a', [doc(1, 'old')]);
    const reader = open();
    await index.beginRebuild('me', 'r1');
    expect(await index.freshness()).toMatchObject({ rebuilding: true });
    await index.write('me', 'next', [
      { conversation: 'a', docs: [doc(1, 'new')], gone: [], indexedFrom: 0, indexedTo: 1 },
    ]);
    expect(await found('new')).toEqual([]);
    expect((await reader.ask(question('old'))).hits).toHaveLength(1);
    await index.hold('me', 'r1', 5000);
    const before = await index.state();
    expect(before).toMatchObject({ conversations: 1, rebuilt: 1, currentAt: 5000 });
    expect(await index.endRebuild('me', 4000)).toBe(true);
    expect(await found('new')).toEqual(['a:1']);
    expect((await reader.ask(question('old'))).hits).toHaveLength(0);
    expect((await reader.ask(question('new'))).hits).toHaveLength(1);
    expect(await index.freshness()).toEqual({ rebuilding: false, currentAt: 4000 });
    expect(await index.state()).toMatchObject({ generation: before.generation + 1, conversations: 1, rebuilt: 0 });
    expect(await index.endRebuild('me', 6000)).toBe(false);
    expect(await index.freshness()).toMatchObject({ currentAt: 4000 });
    await reader.close();
  });

  test('is begun by another recipe, and goes on with what it has after a restart', async () => {
    await put('a', [doc(1, 'old')]);
    expect(await index.hold('me', 'r2', null)).toEqual({ held: true, rebuilding: true });
    await index.write('me', 'next', [
      { conversation: 'a', docs: [doc(1, 'new')], gone: [], indexedFrom: 0, indexedTo: 1 },
    ]);
    await index.close();
    index = open();
    expect(await index.hold('me', 'r2', null)).toEqual({ held: true, rebuilding: true });
    expect(await index.places('next', ['a'])).toEqual(new Map([['a', { indexedTo: 1, floor: 1 }]]));
    expect(await index.hold('me', 'r3', null)).toEqual({ held: true, rebuilding: true });
    expect(await index.places('next', ['a'])).toEqual(new Map());
    expect(await found('old')).toEqual(['a:1']);
  });
});

test('tidies up until nothing is left to do', async () => {
  for (let i = 1; i <= 40; i++) await put('a', [doc(i, `word${i} common`)]);
  let rounds = 0;
  while (await index.tidy('me')) if (++rounds > 100) break;
  expect(rounds).toBeLessThan(100);
  expect(await found('common', { limit: 100 })).toHaveLength(40);
});
