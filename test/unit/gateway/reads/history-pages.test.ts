import { beforeEach, describe, expect, test, vi } from 'vitest';
import { createHistoryPages, type HistoryAsk } from '../../../../gateway/reads/history-pages.ts';
import type { Block } from '../../../../shared/history/store.ts';
import type { SeqRange } from '../../../../shared/model/model.ts';
import { decodeSpans } from '../../../../shared/model/spans.ts';
import { createMetrics } from '../../../../shared/process/metrics.ts';
import type { LiveConversation } from '../../../../shared/redis/conversations/conversations.ts';
import type { TextRun } from '../../../../shared/redis/conversations/recent.ts';

/** A conversation as the test lays it out: what the store has, what is not archived yet, who saw what. */

const hourMs = 3_600_000;
const now = 1_000 * hourMs;
const textOf = (seq: number, at = now): string =>
  `{"id":"0-${at}-0","conversation":"g","seq":${seq},"at":${at},"sender":"alice"}`;
const blockOf = (firstSeq: number, lastSeq: number, at = now): Block => ({
  conversation: 'g',
  firstSeq,
  lastSeq,
  firstAt: at,
  lastAt: at,
  format: 1,
  texts: Array.from({ length: lastSeq - firstSeq + 1 }, (_, i) => textOf(firstSeq + i, at)),
});

let live: LiveConversation;
let blocks: Block[];
let skips: SeqRange[];
let keptFrom: number;
let order: string[];
let kept: TextRun[];
beforeEach(() => {
  order = [];
  kept = [];
  blocks = [];
  skips = [];
  keptFrom = 1;
  live = {
    info: {
      id: 'g',
      kind: 'group',
      name: null,
      createdAt: 0,
      service: false,
      users: null,
      historyDays: null,
      version: 1,
    },
    lastSeq: 0,
    memberCount: 1,
    skips: [],
    spans: decodeSpans('0-'),
    unsettled: new Map(),
    recent: null,
  };
});

const metrics = createMetrics('test');
const counted = async () =>
  Object.fromEntries((await metrics.historyPages.get()).values.map(({ labels, value }) => [labels.tier, value]));
const pages = createHistoryPages({
  read: async () => {
    order.push('redis');
    return live;
  },
  history: {
    blocks: async (_id, fromSeq, toSeq) => {
      order.push('store');
      return blocks.filter(({ firstSeq, lastSeq }) => firstSeq <= toSeq && lastSeq >= fromSeq);
    },
    keptFrom: async () => keptFrom,
    conversation: async () => ({
      info: live.info,
      members: [],
      lastSeq: live.lastSeq,
      recorded: [],
      skips: skips.map((skip) => ({ conversation: 'g', ...skip })),
    }),
  },
  keep: (run) => void kept.push(run),
  metrics,
  retentionMs: 24 * hourMs,
  now: () => now,
});

async function read(ask: HistoryAsk = {}, user: string | null = 'alice') {
  const { messages, more, absent } = await pages.page('g', user, ask);
  return {
    seqs: messages.map((text) => (JSON.parse(text) as { seq: number }).seq),
    more,
    absent: absent.map(({ fromSeq, toSeq }: SeqRange) => [fromSeq, toSeq]),
  };
}

test('asks Redis before the store, and skips the store if Redis has everything', async () => {
  live.lastSeq = 2;
  live.unsettled = new Map([
    [1, textOf(1)],
    [2, textOf(2)],
  ]);
  await read();
  expect(order).toEqual(['redis']);
  live.unsettled.delete(1);
  blocks = [blockOf(1, 1)];
  await read();
  expect(order).toEqual(['redis', 'redis', 'store']);
});

test('joins archived and unarchived messages without duplicates, even from overlapping blocks', async () => {
  live.lastSeq = 9;
  live.unsettled = new Map([7, 8, 9].map((seq) => [seq, textOf(seq)]));
  blocks = [blockOf(1, 3), blockOf(1, 5), blockOf(6, 8)];
  expect(await read()).toEqual({ seqs: [9, 8, 7, 6, 5, 4, 3, 2, 1], more: false, absent: [] });
});

test('rejects with retry_later if a seq is nowhere, instead of a short page', async () => {
  live.lastSeq = 5;
  blocks = [blockOf(1, 2), blockOf(4, 5)];
  await expect(read()).rejects.toMatchObject({ code: 'retry_later', retryable: true });
  // A page that does not need it is answered.
  expect(await read({ limit: 2 }).catch((thrown: { code: string }) => thrown.code)).toBe('retry_later');
  expect(await read({ limit: 1 })).toMatchObject({ seqs: [5], more: true });
});

test('rejects with retry_later if the store does not answer', async () => {
  const failing = createHistoryPages({
    read: async () => ({ ...live, lastSeq: 1 }),
    history: {
      blocks: () => Promise.reject(new Error('away')),
      conversation: async () => null,
      keptFrom: async () => 1,
    },
    retentionMs: hourMs,
    now: () => now,
  });
  await expect(failing.page('g', 'alice', {})).rejects.toMatchObject({ code: 'retry_later' });
});

describe('a message that retention has removed', () => {
  test('is reported as absent in both directions, and a stub has no messages', async () => {
    live.lastSeq = 900;
    blocks = [{ ...blockOf(700, 800), firstAt: 0, lastAt: 0, format: 3, texts: [] }, blockOf(801, 900)];
    keptFrom = 801;
    expect(await read({ limit: 100 })).toMatchObject({
      seqs: Array.from({ length: 100 }, (_, i) => 900 - i),
      more: false,
      absent: [[1, 800]],
    });
    order = [];
    expect(await read({ after: 0, limit: 2 })).toMatchObject({ seqs: [801, 802], more: true, absent: [[1, 800]] });
    // It does not walk through what is gone.
    expect(order.length).toBeLessThan(8);
    expect(await read({ before: 500 })).toMatchObject({ seqs: [], more: false, absent: [[1, 499]] });
  });
});

describe('absent', () => {
  test('lists skipped seqs at both ends of a page and within it', async () => {
    live.lastSeq = 12;
    live.skips = [
      { fromSeq: 4, toSeq: 6 },
      { fromSeq: 11, toSeq: 12 },
    ];
    blocks = [blockOf(1, 3), blockOf(7, 10)];
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
    live.lastSeq = 6;
    blocks = [blockOf(1, 4, now - 25 * hourMs), blockOf(5, 6, now - 23 * hourMs)];
    expect(await read()).toEqual({ seqs: [6, 5], more: false, absent: [[1, 4]] });
    expect(await read({ after: 0 })).toEqual({ seqs: [5, 6], more: false, absent: [[1, 4]] });
    expect(await read({ after: 0, limit: 1 })).toEqual({ seqs: [5], more: true, absent: [[1, 4]] });
    expect(await read({ before: 5 })).toEqual({ seqs: [], more: false, absent: [[1, 4]] });
  });

  test('uses the retention of the conversation if it has one: shorter, longer or unlimited', async () => {
    live.lastSeq = 3;
    blocks = [blockOf(1, 1, now - 900 * hourMs), blockOf(2, 2, now - 47 * hourMs), blockOf(3, 3, now - 23 * hourMs)];
    for (const [historyDays, seqs] of [
      [null, [3]],
      [2, [3, 2]],
      [30, [3, 2]],
      [38, [3, 2, 1]],
      [0, [3, 2, 1]],
    ] as const) {
      live.info = { ...live.info, historyDays };
      expect(await read()).toMatchObject({ seqs });
    }
    // Fewer than the deployment's: what is not archived yet is no exception.
    blocks = [];
    live.unsettled = new Map([
      [1, textOf(1, now - 25 * hourMs)],
      [2, textOf(2, now - 25 * hourMs)],
      [3, textOf(3)],
    ]);
    live.info = { ...live.info, historyDays: 1 };
    expect(await read()).toEqual({ seqs: [3], more: false, absent: [[1, 2]] });
  });

  test('lists seqs outside the spans of the reader, up to the end of its membership', async () => {
    live.lastSeq = 20;
    live.spans = decodeSpans('2-5,8-10');
    blocks = [blockOf(1, 20)];
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
  live.lastSeq = 3;
  live.spans = [];
  blocks = [blockOf(1, 3)];
  await expect(read()).rejects.toMatchObject({ code: 'not_found' });
  expect((await read({}, null)).seqs).toEqual([3, 2, 1]);
});

test('lists a seq that the store records as a hole, until it is filled', async () => {
  live.lastSeq = 5;
  blocks = [blockOf(1, 2), blockOf(4, 5)];
  skips = [{ fromSeq: 3, toSeq: 3 }];
  expect(await read()).toEqual({ seqs: [5, 4, 2, 1], more: false, absent: [[3, 3]] });
  expect(await read({ after: 0, limit: 2 })).toEqual({ seqs: [1, 2], more: true, absent: [] });
  blocks.push(blockOf(3, 3));
  expect(await read()).toEqual({ seqs: [5, 4, 3, 2, 1], more: false, absent: [] });
});

describe('the cache of recent messages in Redis', () => {
  const keep = (low: number, high: number): void => {
    live.recent = {
      low,
      high,
      bytes: 1,
      texts: new Map(Array.from({ length: high - low + 1 }, (_, i) => [low + i, textOf(low + i)])),
    };
  };
  const range = (run: TextRun) => [run.firstSeq, run.firstSeq + run.texts.length - 1];

  test('is joined with what is not archived yet, without asking the store', async () => {
    live.lastSeq = 30;
    live.unsettled = new Map([29, 30].map((seq) => [seq, textOf(seq)]));
    keep(20, 28);
    const before = await counted();
    expect((await read({ limit: 10 })).seqs).toEqual([30, 29, 28, 27, 26, 25, 24, 23, 22, 21]);
    expect((await read({ after: 19, limit: 20 })).seqs).toEqual(Array.from({ length: 11 }, (_, i) => 20 + i));
    expect(order).toEqual(['redis', 'redis']);
    expect((await counted())['hot']).toBe((before['hot'] ?? 0) + 2);
    expect((await counted())['store']).toBe(before['store']);
  });

  test('is completed from the store, and keeps what the store gave', async () => {
    live.lastSeq = 30;
    keep(25, 30);
    blocks = [blockOf(1, 22), blockOf(23, 30)];
    const before = (await counted())['store'] ?? 0;
    expect((await read({ limit: 10 })).seqs).toEqual([30, 29, 28, 27, 26, 25, 24, 23, 22, 21]);
    expect((await counted())['store']).toBe(before + 1);
    expect(kept.map(range)).toEqual([[1, 24]]);
    live.recent = null;
    await read({ limit: 3 });
    // The block that the page needs, and not what no page has read.
    expect(kept.slice(1).map(range)).toEqual([[23, 30]]);
  });

  test('grows only by recent texts of the store, without a hole', async () => {
    live.lastSeq = 400;
    live.unsettled = new Map([399, 400].map((seq) => [seq, textOf(seq)]));
    blocks = [blockOf(1, 394), blockOf(396, 398)];
    skips = [{ fromSeq: 395, toSeq: 395 }];
    expect((await read({ limit: 6 })).seqs).toEqual([400, 399, 398, 397, 396, 394]);
    expect(kept.map(range)).toEqual([[396, 398]]);
    await read({ before: 200, limit: 5 });
    await read({ after: 3, limit: 5 });
    expect(kept).toHaveLength(3);
    // Blocks that reach into the newest bring them along.
    expect(kept.slice(1).map(range)).toEqual([
      [273, 394],
      [273, 394],
    ]);
    blocks = [blockOf(1, 200)];
    await read({ before: 100, limit: 5 });
    expect(kept).toHaveLength(3);
  });

  test('does not show expired messages or messages outside the spans of the reader', async () => {
    live.lastSeq = 8;
    const old = (seq: number): [number, string] => [seq, textOf(seq, now - 25 * hourMs)];
    live.recent = {
      low: 1,
      high: 8,
      bytes: 1,
      texts: new Map([old(1), old(2), ...[3, 4, 5, 6, 7, 8].map((seq): [number, string] => [seq, textOf(seq)])]),
    };
    expect(await read()).toEqual({ seqs: [8, 7, 6, 5, 4, 3], more: false, absent: [[1, 2]] });
    live.spans = decodeSpans('0-3,6-7');
    expect(await read()).toEqual({
      seqs: [7, 3],
      more: false,
      absent: [
        [1, 2],
        [4, 6],
      ],
    });
    expect(order).not.toContain('store');
  });
});

describe('concurrent readers of one page', () => {
  test('share one read of the store', async () => {
    live.lastSeq = 30;
    blocks = [blockOf(1, 30)];
    const all = await Promise.all(Array.from({ length: 50 }, () => read({ limit: 5 })));
    for (const { seqs } of all) expect(seqs).toEqual([30, 29, 28, 27, 26]);
    expect(order.filter((one) => one === 'store')).toHaveLength(1);
    expect(kept).toHaveLength(1);
    await read({ limit: 5 });
    expect(order.filter((one) => one === 'store')).toHaveLength(2);
  });

  test('read again by themselves if a shared read began too early', async () => {
    const answers: PromiseWithResolvers<Block[]>[] = [];
    const waiting = createHistoryPages({
      read: async () => ({ ...live, lastSeq: 5 }),
      history: {
        blocks: () => {
          answers.push(Promise.withResolvers<Block[]>());
          return answers.at(-1)!.promise;
        },
        conversation: async () => null,
        keptFrom: async () => 1,
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
