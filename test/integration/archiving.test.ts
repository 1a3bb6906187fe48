import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { MessageEntry } from '../../shared/entry.ts';
import { openSqliteStore } from '../../shared/history/sqlite.ts';
import type { HistoryStore } from '../../shared/history/store.ts';
import { createArchive } from '../../workers/archive.ts';

/** The handler of the group `history` over a real store, with what several owners of a partition do to each other. */

let dir: string;
let store: HistoryStore;
const errors: object[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-archive-'));
  store = openSqliteStore(join(dir, 'history.db'));
  errors.length = 0;
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true });
});

const archive = () => createArchive({
  history: store,
  read: () => Promise.reject(new Error('not asked')),
  bury: () => Promise.reject(new Error('nothing to bury')),
  log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: (line: object) => void errors.push(line) },
});

const entries = (from: number, to: number): MessageEntry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    type: 'message', streamId: `${1000 + from + i}-0`, conversation: 'c', seq: from + i, prev: from + i - 1, version: 1, sender: 'alice',
    device: '-', class: 'normal', users: ['alice', 'bob'], change: null, way: 'inboxes',
    tail: `"sender":"alice","clientId":"m-${from + i}","kind":"text","body":${from + i},"class":"normal"}`,
  }));

test('an owner that gets a partition back believes the store, and not what it knew before', async () => {
  const [one, other] = [archive(), archive()];
  expect(await one.handle(0, entries(1, 5), false)).not.toBe('again');
  expect(await other.handle(0, entries(6, 50), true)).not.toBe('again');
  // New entries do not continue what the first one knows: it reads from the oldest unsettled entry on, and then the store says more.
  expect(await one.handle(0, entries(51, 60), false)).toBe('again');
  expect(await one.handle(0, entries(51, 60), true)).not.toBe('again');
  expect(await one.handle(0, entries(61, 61), false)).not.toBe('again');
  expect(errors).toEqual([]);
  expect((await store.ranges('c', 1, 99)).map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])).toEqual([[1, 5], [6, 50], [51, 60], [61, 61]]);
});

test('what is nowhere is recorded as a hole, once', async () => {
  const one = archive();
  await one.handle(0, entries(1, 2), false);
  expect(await one.handle(0, entries(5, 6), false)).toBe('again');
  expect(await one.handle(0, entries(5, 6), true)).not.toBe('again');
  expect(errors).toMatchObject([{ event: 'history_hole', fromSeq: 3, toSeq: 4 }]);
  expect(await one.handle(0, entries(7, 7), false)).not.toBe('again');
  expect(errors).toHaveLength(1);
});
