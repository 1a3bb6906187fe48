import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../../shared/history/store.ts';
import { amendmentOf, type AmendedEntry, type Entry, type SkippedEntry } from '../../../shared/model/entry.ts';
import { parseMessage } from '../../../shared/model/message-text.ts';
import { createMetrics } from '../../../shared/process/metrics.ts';
import { createDeadLetters } from '../../../shared/redis/dead-letters.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createDeadLetterWriter, subjectOf } from '../../../workers/dead-letter-writer.ts';
import { createReplays } from '../../../workers/jobs/replays.ts';
import { amendedEntry, archiveWithoutRedis, messageEntries } from '../../support/archive.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** Amendments on their way into history: their rows, whatever is interrupted, repeated or buried. */

let dir: string;
let store: HistoryStore;
const errors: object[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-amendments-'));
  store = openSqliteStore(join(dir, 'history.db'));
  errors.length = 0;
});
afterEach(async () => {
  await store.close();
  await rm(dir, { recursive: true });
});

const noLine = (): void => undefined;
const archive = (history: HistoryStore = store) => archiveWithoutRedis(history, errors);
const bodies = async (): Promise<unknown[]> =>
  (await store.blocks('c', 1, 9999, 'oldest', 99)).flatMap(({ texts }) => texts.map((text) => parseMessage(text).body));
const rows = () => store.amendments('c', 1, 9999);

test('an amendment is a message without the new body, and a row', async () => {
  const edit = amendedEntry(3, 1, '{"text":"new"}');
  expect(await archive().handle(0, [...messageEntries(1, 2), edit], false)).not.toBe('again');
  expect(await bodies()).toEqual([1, 2, { seq: 1, action: 'edit', version: 1 }]);
  expect(await rows()).toEqual([amendmentOf(edit)]);
  expect(await store.progress()).toEqual([{ partition: 0, streamId: '1003-0', completeAt: 1001 }]);
});

test('two archives, replays and stops between two calls leave the newest amendment', async () => {
  const entries: Entry[] = [
    ...messageEntries(1, 600),
    amendedEntry(601, 7),
    amendedEntry(602, 7),
    amendedEntry(603, 7, null),
  ];
  const newest = amendmentOf(entries.at(-1) as AmendedEntry);
  // Stopped after its first call: the rows are there, and of the blocks only the first.
  let left = 1;
  const write: HistoryStore['write'] = async (given) =>
    left-- > 0 ? store.write(given) : Promise.reject(new Error('stopped'));
  await expect(archive({ ...store, write }).handle(0, entries, true)).rejects.toThrow('stopped');
  expect(await rows()).toEqual([newest]);
  expect((await store.newestBlock('c'))?.lastSeq).toBe(500);
  // Two owners at once, each with what was read again.
  const [one, other] = [archive(), archive()];
  await Promise.all([one.handle(0, entries, true), other.handle(0, entries, true)]);
  while ((await other.handle(0, entries, true)) === 'again') void 0;
  // One that was paused with the older amendments.
  await store.write({
    progress: null,
    conversations: [],
    members: [],
    skips: [],
    blocks: [],
    amendments: [amendmentOf(entries[600] as AmendedEntry)],
  });
  expect(await rows()).toEqual([newest]);
  expect((await store.newestBlock('c'))?.lastSeq).toBe(603);
  expect(errors).toEqual([]);
});

test('a batch that is not continued yet writes no row', async () => {
  const one = archive();
  await one.handle(0, messageEntries(1, 2), false);
  expect(await one.handle(0, [amendedEntry(4, 1)], false)).toBe('again');
  expect(await rows()).toEqual([]);
  expect(await one.handle(0, [...messageEntries(3, 3), amendedEntry(4, 1)], true)).not.toBe('again');
  expect(await rows()).toHaveLength(1);
});

test('amendments beside skips, of messages before them', async () => {
  const skipped: SkippedEntry = {
    type: 'skipped',
    streamId: '1004-0',
    conversation: 'c',
    fromSeq: 4,
    toSeq: 1_000_003,
  };
  const edit = amendedEntry(1_000_004, 2);
  expect(await archive().handle(0, [...messageEntries(1, 3), skipped, edit], false)).not.toBe('again');
  expect(await rows()).toEqual([amendmentOf(edit)]);
  expect((await store.newestBlock('c'))?.lastSeq).toBe(1_000_004);
});

test('packed blocks hold amendments too', async () => {
  const pace = { packs: () => true, stored: () => undefined, awaited: () => undefined };
  const entries = [...messageEntries(1, 20), ...[21, 22, 23].map((seq) => amendedEntry(seq, seq - 20))];
  expect(await archiveWithoutRedis(store, errors, pace).handle(0, entries, false)).not.toBe('again');
  expect((await store.newestBlock('c'))?.format).toBe(2);
  expect((await rows()).map(({ seq, amendSeq }) => [seq, amendSeq])).toEqual([
    [1, 21],
    [2, 22],
    [3, 23],
  ]);
});

describe('an amendment that cannot be handled', () => {
  const redis = connectRedis(inject('redisUrl'));
  const keys = createKeys(`test:${process.pid}:amendments`, 1, 1);
  const deadLetters = createDeadLetters(redis, keys);
  const log = { debug: noLine, info: noLine, warn: noLine, error: noLine };
  const bury = createDeadLetterWriter(deadLetters, log, createMetrics('test'));
  /** What the search index is told of. */
  let late: { conversation: string; seq: number }[];
  beforeEach(() => (late = []));
  const replays = (history: HistoryStore = store) =>
    createReplays({
      deadLetters,
      history,
      sends: { know: async (_, { streamId }) => streamId },
      notify: null,
      repeat: async () => null,
      late: async (message) => void late.push(message),
      log,
    });
  /** The fields of the entry, as they are in the stream. */
  const fieldsOf = ({ seq, target, body, tail }: AmendedEntry): string[] => [
    'r',
    `1 amended c ${seq} ${seq - 1} 1 alice - normal alice,bob - ${target} 1 ${body === null ? 'r' : 'e'}`,
    't',
    tail,
    'b',
    body ?? 'null',
  ];
  /** What isolating it does. */
  const isolate = async (entry: AmendedEntry): Promise<string> => {
    const { streamId } = entry;
    const content = JSON.stringify(fieldsOf(entry));
    const about = { partition: 0, group: 'history', streamId, error: 'x', content, subject: subjectOf(entry) } as const;
    await bury({ reason: 'poison', ...about });
    await archive().settlePoison(0, entry);
    return `history-0-${streamId}`;
  };
  afterAll(() => redis.disconnect());
  afterEach(async () => {
    const found = await redis.keys(`test:${process.pid}:amendments:*`);
    if (found.length > 0) await redis.del(found);
  });

  test('is told of, and its replay writes its row and its text', async () => {
    const recall = amendedEntry(3, 1, null);
    await archive().handle(0, messageEntries(1, 2), false);
    const id = await isolate(recall);
    await archive().handle(0, messageEntries(4, 4), false);
    expect(await deadLetters.find(id)).toMatchObject({ subject: { conversation: 'c', seq: 3, amends: 1 } });
    expect(await deadLetters.lostAmendments()).toBe(1);
    expect(await rows()).toEqual([]);
    await Promise.all([replays()(id), replays()(id)]);
    await replays()(id);
    expect(await rows()).toEqual([amendmentOf(recall)]);
    expect(await bodies()).toEqual([1, 2, { seq: 1, action: 'recall', version: 1 }, 4]);
    expect(await deadLetters.lostAmendments()).toBe(0);
    expect(late).toContainEqual({ conversation: 'c', seq: 3 });
  });

  test('whose text an archive has stored before it was stopped: the replay writes its row', async () => {
    const edit = amendedEntry(3, 1);
    await archive().handle(0, [...messageEntries(1, 2), edit], false);
    const amendments: HistoryStore['amendments'] = async () => [];
    const id = await isolate(edit);
    await replays({ ...store, amendments })(id);
    expect(await rows()).toEqual([amendmentOf(edit)]);
    expect(late).toEqual([{ conversation: 'c', seq: 3 }]);
    expect(await deadLetters.lostAmendments()).toBe(0);
  });

  test('replayed late it does not take the place of a newer one', async () => {
    await archive().handle(0, messageEntries(1, 2), false);
    const id = await isolate(amendedEntry(3, 1));
    const newer = amendedEntry(4, 1, null);
    await archive().handle(0, [newer], false);
    await replays()(id);
    expect(await rows()).toEqual([amendmentOf(newer)]);
  });

  test('a message that was amended while it was a dead letter gets no old body back', async () => {
    await archive().handle(0, messageEntries(1, 1), false);
    const [poison] = messageEntries(2, 2);
    await bury({
      reason: 'poison',
      partition: 0,
      group: 'history',
      streamId: '1002-0',
      error: 'x',
      content: JSON.stringify(['r', '1 message c 2 1 1 alice - normal alice,bob -', 't', poison!.tail]),
      subject: subjectOf(poison!),
    });
    await archive().settlePoison(0, poison!);
    expect(await deadLetters.lostAmendments()).toBe(0);
    const edit = amendedEntry(3, 2, '"new"');
    await archive().handle(0, [edit], false);
    await store.markBaked([amendmentOf(edit)]);
    await replays()('history-0-1002-0');
    const [text] = (await store.blocks('c', 2, 2, 'oldest', 1))[0]!.texts;
    expect(parseMessage(text!)).toMatchObject({ body: 'new', amended: { amendSeq: 3 } });
  });

  test('one that cannot be read counts as well', async () => {
    const entry: Entry = { type: 'unknown', streamId: '9-0', fields: ['r', '1 amended c what', 't', '{}'] };
    await bury({
      reason: 'unknown_format',
      partition: 0,
      group: 'history',
      streamId: '9-0',
      error: 'x',
      content: JSON.stringify(entry.fields),
      subject: subjectOf(entry),
    });
    expect(await deadLetters.lostAmendments()).toBe(1);
    // A fanout that could not handle it takes nothing from history.
    await bury({
      reason: 'poison',
      partition: 0,
      group: 'inbox',
      streamId: '9-0',
      error: 'x',
      content: '[]',
      subject: { amends: 1 },
    });
    expect(await deadLetters.lostAmendments()).toBe(1);
  });
});
