import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import type { CreatedEntry, MessageEntry, SkippedEntry } from '../../../shared/model/entry.ts';
import { createArchive } from '../../../workers/archive/archive.ts';

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

const archive = (history: HistoryStore = store) =>
  createArchive({
    history,
    read: () => Promise.reject(new Error('not asked')),
    founders: () => {
      throw new Error('not asked');
    },
    bury: () => Promise.reject(new Error('nothing to bury')),
    log: {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (line: object) => void errors.push(line),
    },
  });

const entries = (from: number, to: number): MessageEntry[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({
    type: 'message',
    streamId: `${1000 + from + i}-0`,
    conversation: 'c',
    seq: from + i,
    prev: from + i - 1,
    version: 1,
    sender: 'alice',
    device: '-',
    class: 'normal',
    users: ['alice', 'bob'],
    change: null,
    way: 'inboxes',
    at: 1000 + from + i,
    tail: `"sender":"alice","clientId":"m-${from + i}","kind":"text","body":${from + i},"class":"normal"}`,
  }));

test('an owner that gets a partition back believes the store, and not what it knew before', async () => {
  const [one, other] = [archive(), archive()];
  expect(await one.handle(0, entries(1, 5), false)).not.toBe('again');
  expect(await other.handle(0, entries(6, 50), true)).not.toBe('again');
  // New entries do not continue what the first one knows: it reads from the oldest unsettled entry on, and then the
  // store says more.
  expect(await one.handle(0, entries(51, 60), false)).toBe('again');
  expect(await one.handle(0, entries(51, 60), true)).not.toBe('again');
  expect(await one.handle(0, entries(61, 61), false)).not.toBe('again');
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
  await one.handle(0, entries(1, 2), false);
  expect(await one.handle(0, entries(5, 6), false)).toBe('again');
  expect(await one.handle(0, entries(5, 6), true)).not.toBe('again');
  expect(errors).toMatchObject([{ event: 'history_hole', fromSeq: 3, toSeq: 4 }]);
  expect(await one.handle(0, entries(7, 7), false)).not.toBe('again');
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
  const batch = [created, ...entries(1, 700), skipped, ...entries(901, 902)];
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
