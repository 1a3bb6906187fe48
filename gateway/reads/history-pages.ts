import type { Block, HistoryStore } from '../../shared/history/store.ts';
import { notFound, retryLater } from '../../shared/model/errors.ts';
import { readHead } from '../../shared/model/message-text.ts';
import type { SeqRange, Span } from '../../shared/model/model.ts';
import { historyKeptMs } from '../../shared/model/retention.ts';
import { seqsOf, without, withinSpans } from '../../shared/model/seq-ranges.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Conversations, LiveConversation } from '../../shared/redis/conversations/conversations.ts';
import { recentLimits, type TextRun, worthKeeping } from '../../shared/redis/conversations/recent.ts';
import { createProvenClock } from '../../shared/timing/clocks.ts';
import { createJoinedReads } from './coalesced-reads.ts';

/** Message texts in the order asked for; `absent` names the seqs of the page's range that will never come. */
export type HistoryPage = { conversation: string; messages: string[]; more: boolean; absent: SeqRange[] };

export type HistoryAsk = { before?: number | undefined; after?: number | undefined; limit?: number | undefined };

const always: Span[] = [{ joined: 0, left: null }];
const defaultLimit = 20;

/** A conversation as it was when the page was begun. `storeAsked`: not everything came from Redis. */
type Begun = LiveConversation & { storeAsked: boolean };

/**
 * The newest run of consecutive seqs that blocks hold, of the last so many seqs that are worth keeping in Redis; null:
 * there is none.
 */
function newestRun(blocks: readonly Block[], { info, lastSeq }: LiveConversation): TextRun | null {
  const bySeq = new Map<number, string>();
  const least = Math.max(1, lastSeq - recentLimits.messages + 1);
  for (const { firstSeq, texts } of blocks) {
    for (let seq = Math.max(firstSeq, least); seq < firstSeq + texts.length; seq++) {
      if (!bySeq.has(seq)) bySeq.set(seq, texts[seq - firstSeq]!);
    }
  }
  if (bySeq.size === 0) return null;
  const end = Math.max(...bySeq.keys());
  let from = end;
  while (bySeq.has(from - 1)) from--;
  return {
    conversation: info.id,
    firstSeq: from,
    texts: Array.from({ length: end - from + 1 }, (_, i) => bySeq.get(from + i)!),
  };
}

/**
 * Pages of a conversation's history that are never short: Redis is asked for the reader's spans, the last seq, what is
 * not archived yet and what it keeps of the newest, and only then the store; in the other order archiving and trimming
 * between the two would make a hole. What cannot be found is `retry_later`.
 */
export function createHistoryPages(parts: {
  read: Conversations['read'];
  history: Pick<HistoryStore, 'blocks' | 'conversation' | 'keptFrom'>;
  /** Keeps texts that the store gave in Redis for the next readers. Nobody waits for it. */
  keep?: (texts: TextRun) => void;
  metrics?: Pick<Metrics, 'historyPages'>;
  /** How long messages are kept, but for conversations that have days of their own. */
  retentionMs: number;
  now?: () => number;
}) {
  const now = parts.now ?? createProvenClock(true);
  const reads = createJoinedReads(parts.history);

  const answered = <Answer>(answer: Promise<Answer>): Promise<Answer> =>
    answer.catch((thrown: unknown) => {
      throw retryLater('history does not answer now', thrown);
    });

  /**
   * Whether the store says of every seq that has no text that there is none: removed by now, a hole, or a dead letter
   * that was not replayed.
   */
  async function areRecorded(
    conversation: string,
    { fromSeq, toSeq }: SeqRange,
    found: Map<number, string>,
    keptFrom: number,
  ): Promise<boolean> {
    const skips = (await answered(parts.history.conversation(conversation)))?.skips ?? [];
    for (let seq = Math.max(fromSeq, keptFrom); seq <= toSeq; seq++) {
      if (!found.has(seq) && !skips.some((skip) => skip.fromSeq <= seq && seq <= skip.toSeq)) return false;
    }
    return true;
  }

  /**
   * The texts of these seqs, by seq; what is not among them is recorded as absent. `keptFrom`: below it nothing is
   * kept.
   */
  async function texts(
    live: Begun,
    { fromSeq, toSeq }: SeqRange,
  ): Promise<{ found: Map<number, string>; keptFrom: number }> {
    const found = new Map<number, string>();
    let missing = false;
    for (let seq = fromSeq; seq <= toSeq; seq++) {
      const text = live.unsettled.get(seq) ?? live.recent?.texts.get(seq);
      if (text === undefined) missing = true;
      else found.set(seq, text);
    }
    if (!missing) return { found, keptFrom: 1 };
    const isFirst = !live.storeAsked;
    live.storeAsked = true;
    const take = (blocks: Block[]): boolean => {
      for (const block of blocks) {
        for (let seq = Math.max(fromSeq, block.firstSeq); seq <= Math.min(toSeq, block.lastSeq); seq++) {
          const text = block.texts[seq - block.firstSeq];
          if (text !== undefined && !found.has(seq)) found.set(seq, text);
        }
      }
      return found.size === toSeq - fromSeq + 1;
    };
    const { blocks, joined } = await answered(reads.joined(live.info.id, fromSeq, toSeq));
    const run = joined || !isFirst ? null : newestRun(blocks, live);
    const worth = run && worthKeeping(run, live.recent);
    if (worth) parts.keep?.(worth);
    // A read that was begun before this reader asked Redis may lack what was archived in between.
    if (take(blocks) || (joined && take(await answered(reads.alone(live.info.id, fromSeq, toSeq)))))
      return { found, keptFrom: 1 };
    const keptFrom = await answered(parts.history.keptFrom(live.info.id));
    if (await areRecorded(live.info.id, { fromSeq, toSeq }, found, keptFrom)) return { found, keptFrom };
    throw retryLater('history is being written');
  }

  /** Walks the visible ranges in one direction until `most` unexpired messages are found. */
  async function collect(live: Begun, ranges: SeqRange[], oldestFirst: boolean, most: number) {
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

  return {
    /** `user` null reads as a service: everything. Rejects with `not_found` for who was never a member. */
    async page(
      conversation: string,
      user: string | null,
      { before, after, limit = defaultLimit }: HistoryAsk,
    ): Promise<HistoryPage> {
      const read = await parts.read(conversation, {
        user: user ?? '',
        unsettled: true,
        recent: { before, after, most: limit + 1 },
      });
      const live: Begun = { ...read, storeAsked: false };
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
      return { conversation, messages: found.map(({ text }) => text), more, absent };
    },
  };
}

export type HistoryPages = ReturnType<typeof createHistoryPages>;
