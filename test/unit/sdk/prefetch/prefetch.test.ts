import { expect, test, vi } from 'vitest';
import type { Rank } from '../../../../sdk/src/prefetch/api.ts';
import { choose, lastActivity } from '../../../../sdk/src/prefetch/choose.ts';
import { prefetch } from '../../../../sdk/src/prefetch/prefetch.ts';
import type { Quality } from '../../../../sdk/src/quality/estimate.ts';
import { newRow } from '../../../../sdk/src/storage/row.ts';
import type { ConversationRow } from '../../../../sdk/src/storage/storage.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';

const row = (id: string, at: number, more: Partial<ConversationRow> = {}): ConversationRow => ({
  ...newRow(id, 'e1'),
  at,
  lastSeq: 100,
  ...more,
});

function play({ rows, rank }: { rows: ConversationRow[]; rank?: Rank }) {
  const clock = fakeClock();
  const asked: string[] = [];
  const faults: string[] = [];
  const network: { quality: Quality; fails: boolean } = { quality: 'good', fails: false };
  const prefetching = prefetch(rank === undefined ? {} : { rank })({
    clock,
    now: clock.now,
    rows: () => rows,
    quality: () => network.quality,
    async fetch(id, limit) {
      asked.push(`${id} ${limit}`);
      if (network.fails) throw new Error('no network');
      return 1000;
    },
    fault: (error, where) => void faults.push(`${where}: ${error.message}`),
  });
  return { clock, asked, faults, network, prefetching };
}

test('fetches the newest messages of the conversations with the newest activity, once for a connection', async () => {
  const rows = [1, 2, 3, 4, 5].map((at) => row(`c${at}`, at));
  const { clock, asked, prefetching } = play({ rows });
  prefetching.synced();
  expect(asked).toEqual([]);
  await clock.advance(2000);
  expect(asked).toEqual(['c5 20', 'c4 20', 'c3 20']);
  await clock.advance(3_600_000);
  expect(asked).toHaveLength(3);
  expect(prefetching.report()).toMatchObject({ asked: 3, bytes: 3000, opened: 0, hits: 0 });
});

test('leaves out what is here, what never comes, and conversations without messages', () => {
  const rows = [
    row('here', 9, { present: [{ fromSeq: 81, toSeq: 100 }] }),
    row('absent', 8, { present: [{ fromSeq: 90, toSeq: 100 }], absent: [{ fromSeq: 1, toSeq: 89 }] }),
    row('short', 7, { lastSeq: 5, present: [{ fromSeq: 1, toSeq: 5 }] }),
    row('empty', 6, { lastSeq: 0 }),
    row('hole', 5, { present: [{ fromSeq: 82, toSeq: 100 }] }),
  ];
  expect(choose(rows, lastActivity, 3, 0)).toEqual(['hole']);
});

test('takes another ranking, and leaves out what it gives no number', async () => {
  const rank: Rank = (candidates) => candidates.map(({ unread }) => (unread === 0 ? Number.NaN : unread));
  const rows = [row('a', 3, { unread: 1 }), row('b', 2, { unread: 5 }), row('c', 9)];
  const { clock, asked, prefetching } = play({ rows, rank });
  prefetching.synced();
  await clock.advance(2000);
  expect(asked).toEqual(['b 20', 'a 20']);
});

test.each<[Quality, number]>([
  ['poor', 1],
  ['bad', 0],
  ['offline', 0],
])('on a network of quality %s it fetches %i', async (quality, count) => {
  const { clock, asked, network, prefetching } = play({ rows: [row('a', 1), row('b', 2)] });
  network.quality = quality;
  prefetching.synced();
  await clock.advance(2000);
  expect(asked).toHaveLength(count);
});

test('fetches nothing where the user saves data', async () => {
  vi.stubGlobal('navigator', { connection: { saveData: true } });
  const { clock, asked, prefetching } = play({ rows: [row('a', 1)] });
  prefetching.synced();
  await clock.advance(2000);
  vi.unstubAllGlobals();
  expect(asked).toEqual([]);
});

test('ends with the connection', async () => {
  const { clock, asked, prefetching } = play({ rows: [row('a', 1)] });
  prefetching.synced();
  await clock.advance(1000);
  prefetching.pause();
  await clock.advance(10_000);
  expect(asked).toEqual([]);
});

test('a page that cannot be had is a fault, and the next connection tries again', async () => {
  const { clock, asked, faults, network, prefetching } = play({ rows: [row('a', 2), row('b', 1)] });
  network.fails = true;
  prefetching.synced();
  await clock.advance(2000);
  expect([asked, faults]).toEqual([['a 20'], ['prefetch: no network']]);
  network.fails = false;
  prefetching.synced();
  await clock.advance(2000);
  expect(asked).toEqual(['a 20', 'a 20', 'b 20']);
});

test.each([
  [9, 51],
  [10, 54],
])('after a day with %i of 51 pages opened, %i were fetched in all', async (opened, all) => {
  const rows = Array.from({ length: 51 }, (_, at) => row(`c${at}`, at));
  const { clock, asked, prefetching } = play({ rows });
  for (let connection = 0; connection < 17; connection++) {
    prefetching.synced();
    await clock.advance(2000);
    // What was fetched is here.
    for (const { id } of asked.slice(-3).map((one) => ({ id: one.split(' ')[0]! })))
      rows.find((one) => one.id === id)!.present = [{ fromSeq: 1, toSeq: 100 }];
  }
  expect(asked).toHaveLength(51);
  for (let at = 0; at < opened; at++) prefetching.opened(`c${at}`);
  prefetching.opened('another');
  expect(prefetching.report()).toMatchObject({ asked: 51, hits: opened, opened: opened + 1, wasted: 0 });
  await clock.advance(86_400_000);
  expect(prefetching.report()).toMatchObject({ wasted: 51 - opened });
  rows.push(row('d1', 1), row('d2', 2), row('d3', 3));
  prefetching.synced();
  await clock.advance(2000);
  expect(asked).toHaveLength(all);
});
