import { createHistoryPages, type HistoryAsk } from '../../../../gateway/reads/history-pages.ts';
import type { Block } from '../../../../shared/history/store.ts';
import type { SeqRange } from '../../../../shared/model/model.ts';
import { decodeSpans } from '../../../../shared/model/spans.ts';
import { createMetrics } from '../../../../shared/process/metrics.ts';
import type { LiveConversation } from '../../../../shared/redis/conversations/conversations.ts';
import type { TextRun } from '../../../../shared/redis/conversations/recent.ts';

/** A conversation as the test lays it out: what the store has, what is not archived yet, who saw what. */

export const hourMs = 3_600_000;
export const now = 1_000 * hourMs;
export const textOf = (seq: number, at = now): string =>
  `{"id":"0-${at}-0","conversation":"g","seq":${seq},"at":${at},"sender":"alice"}`;
export const blockOf = (firstSeq: number, lastSeq: number, at = now): Block => ({
  conversation: 'g',
  firstSeq,
  lastSeq,
  firstAt: at,
  lastAt: at,
  format: 1,
  rev: 0,
  texts: Array.from({ length: lastSeq - firstSeq + 1 }, (_, i) => textOf(firstSeq + i, at)),
});

/** Changed by a test, and as here before each. */
export const laid = layOut();
export function layOutAgain(): void {
  Object.assign(laid, layOut());
}

function layOut() {
  return {
    live: {
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
      quiet: [],
      spans: decodeSpans('0-'),
      unsettled: new Map(),
      amendments: [],
      amendSeq: 0,
      recent: null,
    } as LiveConversation,
    blocks: [] as Block[],
    skips: [] as SeqRange[],
    keptFrom: 1,
    /** Where was looked, in this order. */
    order: [] as string[],
    kept: [] as TextRun[],
  };
}

export const metrics = createMetrics('test');
export const counted = async () =>
  Object.fromEntries((await metrics.historyPages.get()).values.map(({ labels, value }) => [labels.tier, value]));
export const pages = createHistoryPages({
  read: async () => {
    laid.order.push('redis');
    return laid.live;
  },
  history: {
    blocks: async (_id, fromSeq, toSeq) => {
      laid.order.push('store');
      return laid.blocks.filter(({ firstSeq, lastSeq }) => firstSeq <= toSeq && lastSeq >= fromSeq);
    },
    amendments: async () => [],
    amendmentsBy: async () => [],
    keptFrom: async () => laid.keptFrom,
    conversation: async () => ({
      info: laid.live.info,
      members: [],
      lastSeq: laid.live.lastSeq,
      amendSeq: 0,
      recorded: [],
      skips: laid.skips.map((skip) => ({ conversation: 'g', ...skip })),
    }),
  },
  keep: (run) => void laid.kept.push(run),
  metrics,
  retentionMs: 24 * hourMs,
  now: () => now,
});

export async function read(ask: HistoryAsk = {}, user: string | null = 'alice') {
  const { messages, more, absent } = await pages.page('g', user, ask);
  return {
    seqs: messages.map((text) => (JSON.parse(text) as { seq: number }).seq),
    more,
    absent: absent.map(({ fromSeq, toSeq }: SeqRange) => [fromSeq, toSeq]),
  };
}
