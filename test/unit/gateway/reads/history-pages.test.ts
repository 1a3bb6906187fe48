import { beforeEach, describe, expect, test } from 'vitest';
import { createHistoryPages } from '../../../../gateway/reads/history-pages.ts';
import { decodeSpans } from '../../../../shared/model/spans.ts';
import { blockOf, hourMs, laid, layOutAgain, now, read, textOf } from './laid-out-history.ts';

beforeEach(layOutAgain);

test('asks Redis before the store, and skips the store if Redis has everything', async () => {
  laid.live.lastSeq = 2;
  laid.live.unsettled = new Map([
    [1, textOf(1)],
    [2, textOf(2)],
  ]);
  await read();
  expect(laid.order).toEqual(['redis']);
  laid.live.unsettled.delete(1);
  laid.blocks = [blockOf(1, 1)];
  await read();
  expect(laid.order).toEqual(['redis', 'redis', 'store']);
});

test('joins archived and unarchived messages without duplicates, even from overlapping blocks', async () => {
  laid.live.lastSeq = 9;
  laid.live.unsettled = new Map([7, 8, 9].map((seq) => [seq, textOf(seq)]));
  laid.blocks = [blockOf(1, 3), blockOf(1, 5), blockOf(6, 8)];
  expect(await read()).toEqual({ seqs: [9, 8, 7, 6, 5, 4, 3, 2, 1], more: false, absent: [] });
});

test('rejects with retry_later if a seq is nowhere, instead of a short page', async () => {
  laid.live.lastSeq = 5;
  laid.blocks = [blockOf(1, 2), blockOf(4, 5)];
  await expect(read()).rejects.toMatchObject({ code: 'retry_later', retryable: true });
  // A page that does not need it is answered.
  expect(await read({ limit: 2 }).catch((thrown: { code: string }) => thrown.code)).toBe('retry_later');
  expect(await read({ limit: 1 })).toMatchObject({ seqs: [5], more: true });
});

test('rejects with retry_later if the store does not answer', async () => {
  const failing = createHistoryPages({
    read: async () => ({ ...laid.live, lastSeq: 1 }),
    history: {
      blocks: () => Promise.reject(new Error('away')),
      conversation: async () => null,
      keptFrom: async () => 1,
      amendments: async () => [],
      amendmentsBy: async () => [],
    },
    retentionMs: hourMs,
    now: () => now,
  });
  await expect(failing.page('g', 'alice', {})).rejects.toMatchObject({ code: 'retry_later' });
});

describe('a message that retention has removed', () => {
  test('is reported as absent in both directions, and a stub has no messages', async () => {
    laid.live.lastSeq = 900;
    laid.blocks = [{ ...blockOf(700, 800), firstAt: 0, lastAt: 0, format: 3, texts: [] }, blockOf(801, 900)];
    laid.keptFrom = 801;
    expect(await read({ limit: 100 })).toMatchObject({
      seqs: Array.from({ length: 100 }, (_, i) => 900 - i),
      more: false,
      absent: [[1, 800]],
    });
    laid.order = [];
    expect(await read({ after: 0, limit: 2 })).toMatchObject({ seqs: [801, 802], more: true, absent: [[1, 800]] });
    // It does not walk through what is gone.
    expect(laid.order.length).toBeLessThan(8);
    expect(await read({ before: 500 })).toMatchObject({ seqs: [], more: false, absent: [[1, 499]] });
  });
});

describe('absent', () => {
  test('lists skipped seqs at both ends of a page and within it', async () => {
    laid.live.lastSeq = 12;
    laid.live.skips = [
      { fromSeq: 4, toSeq: 6 },
      { fromSeq: 11, toSeq: 12 },
    ];
    laid.blocks = [blockOf(1, 3), blockOf(7, 10)];
    expect(await read()).toEqual({
      seqs: [10, 9, 8, 7, 3, 2, 1],
      more: false,
      absent: [
        [4, 6],
        [11, 12],
      ],
    });
    expect(await read({ after: 0 })).toEqual({
      seqs: [1, 2, 3, 7, 8, 9, 10],
      more: false,
      absent: [
        [4, 6],
        [11, 12],
      ],
    });
    expect(await read({ after: 2, limit: 2 })).toEqual({ seqs: [3, 7], more: true, absent: [[4, 6]] });
    expect(await read({ before: 8, limit: 2 })).toEqual({ seqs: [7, 3], more: true, absent: [[4, 6]] });
    expect(await read({ limit: 1 })).toEqual({ seqs: [10], more: true, absent: [[11, 12]] });
    expect(await read({ after: 10 })).toEqual({ seqs: [], more: false, absent: [[11, 12]] });
  });

  test('lists expired seqs', async () => {
    laid.live.lastSeq = 6;
    laid.blocks = [blockOf(1, 4, now - 25 * hourMs), blockOf(5, 6, now - 23 * hourMs)];
    expect(await read()).toEqual({ seqs: [6, 5], more: false, absent: [[1, 4]] });
    expect(await read({ after: 0 })).toEqual({ seqs: [5, 6], more: false, absent: [[1, 4]] });
    expect(await read({ after: 0, limit: 1 })).toEqual({ seqs: [5], more: true, absent: [[1, 4]] });
    expect(await read({ before: 5 })).toEqual({ seqs: [], more: false, absent: [[1, 4]] });
  });

  test('uses the retention of the conversation if it has one: shorter, longer or unlimited', async () => {
    laid.live.lastSeq = 3;
    laid.blocks = [
      blockOf(1, 1, now - 900 * hourMs),
      blockOf(2, 2, now - 47 * hourMs),
      blockOf(3, 3, now - 23 * hourMs),
    ];
    for (const [historyDays, seqs] of [
      [null, [3]],
      [2, [3, 2]],
      [30, [3, 2]],
      [38, [3, 2, 1]],
      [0, [3, 2, 1]],
    ] as const) {
      laid.live.info = { ...laid.live.info, historyDays };
      expect(await read()).toMatchObject({ seqs });
    }
    // Fewer than the deployment's: what is not archived yet is no exception.
    laid.blocks = [];
    laid.live.unsettled = new Map([
      [1, textOf(1, now - 25 * hourMs)],
      [2, textOf(2, now - 25 * hourMs)],
      [3, textOf(3)],
    ]);
    laid.live.info = { ...laid.live.info, historyDays: 1 };
    expect(await read()).toEqual({ seqs: [3], more: false, absent: [[1, 2]] });
  });

  test('lists seqs outside the spans of the reader, up to the end of its membership', async () => {
    laid.live.lastSeq = 20;
    laid.live.spans = decodeSpans('2-5,8-10');
    laid.blocks = [blockOf(1, 20)];
    expect(await read()).toEqual({
      seqs: [10, 9, 5, 4, 3],
      more: false,
      absent: [
        [1, 2],
        [6, 8],
      ],
    });
    expect(await read({ after: 0 })).toEqual({
      seqs: [3, 4, 5, 9, 10],
      more: false,
      absent: [
        [1, 2],
        [6, 8],
      ],
    });
    expect(await read({ after: 3, limit: 3 })).toEqual({ seqs: [4, 5, 9], more: true, absent: [[6, 8]] });
    expect(await read({ after: 10 })).toEqual({ seqs: [], more: false, absent: [] });
  });
});

test('shows nothing to users who were never members, and everything to a service', async () => {
  laid.live.lastSeq = 3;
  laid.live.spans = [];
  laid.blocks = [blockOf(1, 3)];
  await expect(read()).rejects.toMatchObject({ code: 'not_found' });
  expect((await read({}, null)).seqs).toEqual([3, 2, 1]);
});

test('lists a seq that the store records as a hole, until it is filled', async () => {
  laid.live.lastSeq = 5;
  laid.blocks = [blockOf(1, 2), blockOf(4, 5)];
  laid.skips = [{ fromSeq: 3, toSeq: 3 }];
  expect(await read()).toEqual({ seqs: [5, 4, 2, 1], more: false, absent: [[3, 3]] });
  expect(await read({ after: 0, limit: 2 })).toEqual({ seqs: [1, 2], more: true, absent: [] });
  laid.blocks.push(blockOf(3, 3));
  expect(await read()).toEqual({ seqs: [5, 4, 3, 2, 1], more: false, absent: [] });
});
