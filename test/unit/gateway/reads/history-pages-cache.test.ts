import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createHistoryPages } from '../../../../gateway/reads/history-pages.ts';
import type { Block } from '../../../../shared/history/store.ts';
import { decodeSpans } from '../../../../shared/model/spans.ts';
import type { TextRun } from '../../../../shared/redis/conversations/recent.ts';
import { blockOf, counted, hourMs, laid, layOutAgain, now, read, textOf } from './laid-out-history.ts';

beforeEach(layOutAgain);

describe('the cache of recent messages in Redis', () => {
  const keep = (low: number, high: number): void => {
    laid.live.recent = {
      low,
      high,
      bytes: 1,
      texts: new Map(Array.from({ length: high - low + 1 }, (_, i) => [low + i, textOf(low + i)])),
    };
  };
  const range = (run: TextRun) => [run.firstSeq, run.firstSeq + run.texts.length - 1];

  test('is joined with what is not archived yet, without asking the store', async () => {
    laid.live.lastSeq = 30;
    laid.live.unsettled = new Map([29, 30].map((seq) => [seq, textOf(seq)]));
    keep(20, 28);
    const before = await counted();
    expect((await read({ limit: 10 })).seqs).toEqual([30, 29, 28, 27, 26, 25, 24, 23, 22, 21]);
    expect((await read({ after: 19, limit: 20 })).seqs).toEqual(Array.from({ length: 11 }, (_, i) => 20 + i));
    expect(laid.order).toEqual(['redis', 'redis']);
    expect((await counted())['hot']).toBe((before['hot'] ?? 0) + 2);
    expect((await counted())['store']).toBe(before['store']);
  });

  test('is completed from the store, and keeps what the store gave', async () => {
    laid.live.lastSeq = 30;
    keep(25, 30);
    laid.blocks = [blockOf(1, 22), blockOf(23, 30)];
    const before = (await counted())['store'] ?? 0;
    expect((await read({ limit: 10 })).seqs).toEqual([30, 29, 28, 27, 26, 25, 24, 23, 22, 21]);
    expect((await counted())['store']).toBe(before + 1);
    expect(laid.kept.map(range)).toEqual([[1, 24]]);
    laid.live.recent = null;
    await read({ limit: 3 });
    // The block that the page needs, and not what no page has read.
    expect(laid.kept.slice(1).map(range)).toEqual([[23, 30]]);
  });

  test('grows only by recent texts of the store, without a hole', async () => {
    laid.live.lastSeq = 400;
    laid.live.unsettled = new Map([399, 400].map((seq) => [seq, textOf(seq)]));
    laid.blocks = [blockOf(1, 394), blockOf(396, 398)];
    laid.skips = [{ fromSeq: 395, toSeq: 395 }];
    expect((await read({ limit: 6 })).seqs).toEqual([400, 399, 398, 397, 396, 394]);
    expect(laid.kept.map(range)).toEqual([[396, 398]]);
    await read({ before: 200, limit: 5 });
    await read({ after: 3, limit: 5 });
    expect(laid.kept).toHaveLength(3);
    // Blocks that reach into the newest bring them along.
    expect(laid.kept.slice(1).map(range)).toEqual([
      [273, 394],
      [273, 394],
    ]);
    laid.blocks = [blockOf(1, 200)];
    await read({ before: 100, limit: 5 });
    expect(laid.kept).toHaveLength(3);
  });

  test('does not show expired messages or messages outside the spans of the reader', async () => {
    laid.live.lastSeq = 8;
    const old = (seq: number): [number, string] => [seq, textOf(seq, now - 25 * hourMs)];
    laid.live.recent = {
      low: 1,
      high: 8,
      bytes: 1,
      texts: new Map([old(1), old(2), ...[3, 4, 5, 6, 7, 8].map((seq): [number, string] => [seq, textOf(seq)])]),
    };
    expect(await read()).toEqual({ seqs: [8, 7, 6, 5, 4, 3], more: false, absent: [[1, 2]] });
    laid.live.spans = decodeSpans('0-3,6-7');
    expect(await read()).toEqual({
      seqs: [7, 3],
      more: false,
      absent: [
        [1, 2],
        [4, 6],
      ],
    });
    expect(laid.order).not.toContain('store');
  });
});

describe('concurrent readers of one page', () => {
  test('share one read of the store', async () => {
    laid.live.lastSeq = 30;
    laid.blocks = [blockOf(1, 30)];
    const all = await Promise.all(Array.from({ length: 50 }, () => read({ limit: 5 })));
    for (const { seqs } of all) expect(seqs).toEqual([30, 29, 28, 27, 26]);
    expect(laid.order.filter((one) => one === 'store')).toHaveLength(1);
    expect(laid.kept).toHaveLength(1);
    await read({ limit: 5 });
    expect(laid.order.filter((one) => one === 'store')).toHaveLength(2);
  });

  test('read again by themselves if a shared read began too early', async () => {
    const answers: PromiseWithResolvers<Block[]>[] = [];
    const waiting = createHistoryPages({
      read: async () => ({ ...laid.live, lastSeq: 5 }),
      history: {
        blocks: () => {
          answers.push(Promise.withResolvers<Block[]>());
          return answers.at(-1)!.promise;
        },
        conversation: async () => null,
        keptFrom: async () => 1,
        amendments: async () => [],
        amendmentsBy: async () => [],
      },
      retentionMs: Infinity,
    });
    const readers = Promise.allSettled([waiting.page('g', 'alice', {}), waiting.page('g', 'alice', {})]);
    await vi.waitUntil(() => answers.length === 1);
    answers[0]!.resolve([blockOf(1, 3)]);
    await vi.waitUntil(() => answers.length === 2);
    answers[1]!.resolve([blockOf(1, 5)]);
    const [first, second] = await readers;
    // The one who began it knows only that something is missing.
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'retry_later' } });
    expect(second).toMatchObject({
      status: 'fulfilled',
      value: { messages: [5, 4, 3, 2, 1].map((seq) => textOf(seq)) },
    });
  });
});
