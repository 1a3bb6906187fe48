import type { HistoryStore } from '../../shared/history/store.ts';
import { notFound } from '../../shared/model/errors.ts';
import { historyPageDefault } from '../../shared/model/limits.ts';
import { readHead } from '../../shared/model/message-text.ts';
import type { SeqRange, Span } from '../../shared/model/model.ts';
import { historyKeptMs } from '../../shared/model/retention.ts';
import { seqsOf, without, withinSpans } from '../../shared/model/seq-ranges.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import type { TextRun } from '../../shared/redis/conversations/recent.ts';
import { createProvenClock } from '../../shared/timing/clocks.ts';
import { createHistoryTexts, type PageSource } from './history-texts.ts';
import { asSeenBy } from './laid-over.ts';

/** Message texts in the requested order. `absent`: the seqs of the page's range that will never come. */
export type HistoryPage = { conversation: string; messages: string[]; more: boolean; absent: SeqRange[] };

export type HistoryAsk = { before?: number | undefined; after?: number | undefined; limit?: number | undefined };

const always: Span[] = [{ joined: 0, left: null }];

/**
 * Pages of a conversation's history that never lack a message.
 *
 * Redis is asked first: for the reader's spans, the last seq, what is not archived yet, and the recent texts that it
 * keeps. The store is asked after that. In the other order, archiving and trimming between the two reads would leave a
 * hole. A message that cannot be found now makes the page `retry_later`.
 */
export function createHistoryPages(parts: {
  read: Conversations['read'];
  history: Pick<HistoryStore, 'blocks' | 'conversation' | 'keptFrom' | 'amendments' | 'amendmentsBy'>;
  /** Keeps texts of the store in Redis for the next readers. Must not block or throw. */
  keep?: (texts: TextRun, amendSeq: number) => void;
  metrics?: Pick<Metrics, 'historyPages'>;
  /** The deployment's retention (ms), for conversations without a retention of their own. */
  retentionMs: number;
  now?: () => number;
}) {
  const now = parts.now ?? createProvenClock(true);
  const texts = createHistoryTexts(parts.history, parts.keep);

  /** Walks the visible ranges in one direction until `most` unexpired messages are found. */
  async function collect(live: PageSource, ranges: SeqRange[], oldestFirst: boolean, most: number) {
    const expiredBefore = now() - historyKeptMs(live.info, parts.retentionMs);
    const found: { seq: number; text: string }[] = [];
    for (const range of oldestFirst ? ranges : ranges.toReversed()) {
      let { fromSeq, toSeq } = range;
      while (fromSeq <= toSeq && found.length < most) {
        const size = most - found.length;
        const part = oldestFirst
          ? { fromSeq, toSeq: Math.min(toSeq, fromSeq + size - 1) }
          : { fromSeq: Math.max(fromSeq, toSeq - size + 1), toSeq };
        const { found: bySeq, keptFrom } = await texts(live, part);
        for (const seq of seqsOf(part, oldestFirst)) {
          const text = bySeq.get(seq);
          if (text === undefined) continue;
          if (readHead(text).at >= expiredBefore) found.push({ seq, text });
          else if (!oldestFirst) return found;
        }
        if (oldestFirst) fromSeq = Math.max(part.toSeq + 1, keptFrom);
        else if (part.fromSeq <= keptFrom && keptFrom > 1) return found;
        else toSeq = part.fromSeq - 1;
      }
    }
    return found;
  }

  const pages = {
    /** `user` null: everything, as a service sees it. Rejects with `not_found` if `user` was never a member. */
    async page(
      conversation: string,
      user: string | null,
      { before, after, limit = historyPageDefault }: HistoryAsk,
    ): Promise<HistoryPage> {
      const read = await parts.read(conversation, {
        user: user ?? '',
        unsettled: true,
        recent: { before, after, most: limit + 1 },
      });
      const live: PageSource = { ...read, storeAsked: false };
      const spans = user === null ? always : live.spans;
      if (spans.length === 0) throw notFound();
      const end = Math.min(live.lastSeq, spans.at(-1)!.left ?? live.lastSeq);
      const oldestFirst = after !== undefined;
      const asked: SeqRange = {
        fromSeq: (after ?? 0) + 1,
        toSeq: before === undefined ? end : Math.min(end, before - 1),
      };
      const visible = without(withinSpans(asked, spans), live.skips);
      const found = await collect(live, visible, oldestFirst, limit + 1);
      parts.metrics?.historyPages.inc({ tier: live.storeAsked ? 'store' : 'hot' });
      const more = found.length > limit;
      if (more) found.length = limit;
      const last = found.at(-1);
      if (more && oldestFirst) asked.toSeq = last!.seq;
      else if (more) asked.fromSeq = last!.seq;
      const present = found.map(({ seq }) => ({ fromSeq: seq, toSeq: seq }));
      const absent = without([asked], oldestFirst ? present : present.toReversed());
      return { conversation, messages: found.map(({ text }) => asSeenBy(text, spans)), more, absent };
    },
  };

  return {
    ...pages,

    /** The text of one message, by the same rules; null: there is none, or the user does not see it. */
    async message(conversation: string, user: string | null, seq: number): Promise<string | null> {
      const { messages } = await pages.page(conversation, user, { after: seq - 1, limit: 1 });
      return messages[0] !== undefined && readHead(messages[0]).seq === seq ? messages[0] : null;
    },
  };
}

export type HistoryPages = ReturnType<typeof createHistoryPages>;
