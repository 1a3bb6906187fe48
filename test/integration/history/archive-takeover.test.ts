import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import type { CreatedEntry, SkippedEntry } from '../../../shared/model/entry.ts';
import { archiveWithoutRedis, messageEntries } from '../../support/archive.ts';

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

const archive = (history: HistoryStore = store) => archiveWithoutRedis(history, errors);

test('an owner that gets a partition back believes the store, and not what it knew before', async () => {
  const [one, other] = [archive(), archive()];
  expect(await one.handle(0, messageEntries(1, 5), false)).not.toBe('again');
  expect(await other.handle(0, messageEntries(6, 50), true)).not.toBe('again');
  // New entries do not continue what the first one knows: it reads from the oldest unsettled entry on, and then the
  // store says more.
  expect(await one.handle(0, messageEntries(51, 60), false)).toBe('again');
  expect(await one.handle(0, messageEntries(51, 60), true)).not.toBe('again');
  expect(await one.handle(0, messageEntries(61, 61), false)).not.toBe('again');
  expect(errors).toEqual([]);
  expect((await store.ranges('c', 1, 99)).map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])).toEqual([
    [1, 5],
    [6, 50],
    [51, 60],
    [61, 61],
  ]);
});

test('what is nowhere is recorded as a hole, once', async () => {
  const one = archive();
  await one.handle(0, messageEntries(1, 2), false);
  expect(await one.handle(0, messageEntries(5, 6), false)).toBe('again');
  expect(await one.handle(0, messageEntries(5, 6), true)).not.toBe('again');
  expect(errors).toMatchObject([{ event: 'history_hole', fromSeq: 3, toSeq: 4 }]);
  expect(await one.handle(0, messageEntries(7, 7), false)).not.toBe('again');
  expect(errors).toHaveLength(1);
});

test('stopped inside a batch that ends with a skip, it leaves nothing that hides what is not stored', async () => {
  const skipped: SkippedEntry = { type: 'skipped', streamId: '5000-0', conversation: 'c', fromSeq: 701, toSeq: 900 };
  const created: CreatedEntry = {
    type: 'created',
    streamId: '900-0',
    conversation: 'c',
    createdAt: 1,
    service: false,
    version: 1,
    users: ['alice', 'bob'],
    large: false,
    name: null,
    joined: 0,
    members: [],
  };
  const batch = [created, ...messageEntries(1, 700), skipped, ...messageEntries(901, 902)];
  // Stopped before its first call, and before its second one: the block of 500 messages takes one of its own.
  for (let calls = 0; calls < 2; calls++) {
    let left = calls;
    const write: HistoryStore['write'] = async (given) =>
      left-- > 0 ? store.write(given) : Promise.reject(new Error('stopped'));
    await expect(archive({ ...store, write }).handle(0, batch, true)).rejects.toThrow('stopped');
  }
  expect(await archive().handle(0, batch, true)).not.toBe('again');
  expect((await store.ranges('c', 1, 99)).map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq])).toEqual([
    [1, 500],
    [501, 700],
    [901, 902],
  ]);
  expect((await store.conversation('c'))?.skips).toMatchObject([{ fromSeq: 701, toSeq: 900 }]);
});
