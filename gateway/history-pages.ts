import { notFound, retryLater } from '../shared/errors.ts';
import type { HistoryStore } from '../shared/history/store.ts';
import type { SeqRange, Span } from '../shared/model.ts';
import { readHead } from '../shared/message-text.ts';
import { historyKeptMs } from '../shared/retention.ts';
import type { Conversations, LiveConversation } from '../shared/redis/conversations.ts';
import { seqsOf, without, withinSpans } from './seq-ranges.ts';

/** Message texts in the order asked for; `absent` names the seqs of the page's range that will never come. */
export type HistoryPage = { conversation: string; messages: string[]; more: boolean; absent: SeqRange[] };

export type HistoryAsk = { before?: number | undefined; after?: number | undefined; limit?: number | undefined };

const always: Span[] = [{ joined: 0, left: null }];
const defaultLimit = 20;

/**
 * Pages of a conversation's history that are never short: Redis is asked for the reader's spans, the last seq and what is not
 * archived yet, and only then the store; in the other order archiving and trimming between the two would make a hole. What
 * cannot be found is `retry_later`.
 */
export function createHistoryPages(parts: {
  read: Conversations['read'];
  history: Pick<HistoryStore, 'blocks' | 'conversation' | 'keptFrom'>;
  /** How long messages are kept, but for conversations that have days of their own. */
  retentionMs: number;
  now?: () => number;
}) {
  const now = parts.now ?? Date.now;

  const answered = <Answer>(answer: Promise<Answer>): Promise<Answer> =>
    answer.catch((thrown: unknown) => {
      throw retryLater('history does not answer now', thrown);
    });

  /** Whether the store says of every seq that has no text that there is none: removed by now, a hole, or a dead letter that was not replayed. */
  async function areRecorded(conversation: string, { fromSeq, toSeq }: SeqRange, found: Map<number, string>, keptFrom: number): Promise<boolean> {
    const skips = (await answered(parts.history.conversation(conversation)))?.skips ?? [];
    for (let seq = Math.max(fromSeq, keptFrom); seq <= toSeq; seq++) {
      if (!found.has(seq) && !skips.some((skip) => skip.fromSeq <= seq && seq <= skip.toSeq)) return false;
    }
    return true;
  }

  /** The texts of these seqs, by seq; what is not among them is recorded as absent. `keptFrom`: below it nothing is kept. */
  async function texts(live: LiveConversation, { fromSeq, toSeq }: SeqRange): Promise<{ found: Map<number, string>; keptFrom: number }> {
    const found = new Map<number, string>();
    let missing = false;
    for (let seq = fromSeq; seq <= toSeq; seq++) {
      const text = live.unsettled.get(seq);
      if (text === undefined) missing = true;
      else found.set(seq, text);
    }
    if (!missing) return { found, keptFrom: 1 };
    const blocks = await answered(parts.history.blocks(live.info.id, fromSeq, toSeq, 'oldest', 2 * (toSeq - fromSeq + 1)));
    for (const block of blocks) {
      for (let seq = Math.max(fromSeq, block.firstSeq); seq <= Math.min(toSeq, block.lastSeq); seq++) {
        const text = block.texts[seq - block.firstSeq];
        if (text !== undefined && !found.has(seq)) found.set(seq, text);
      }
    }
    if (found.size === toSeq - fromSeq + 1) return { found, keptFrom: 1 };
    const keptFrom = await answered(parts.history.keptFrom(live.info.id));
    if (await areRecorded(live.info.id, { fromSeq, toSeq }, found, keptFrom)) return { found, keptFrom };
    throw retryLater('history is being written');
  }

  /** Walks the visible ranges in one direction until `most` unexpired messages are found. */
  async function collect(live: LiveConversation, ranges: SeqRange[], oldestFirst: boolean, most: number) {
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
    async page(conversation: string, user: string | null, { before, after, limit = defaultLimit }: HistoryAsk): Promise<HistoryPage> {
      const live = await parts.read(conversation, { user: user ?? '', unsettled: true });
      const spans = user === null ? always : live.spans;
      if (spans.length === 0) throw notFound();
      const end = Math.min(live.lastSeq, spans.at(-1)!.left ?? live.lastSeq);
      const oldestFirst = after !== undefined;
      const asked: SeqRange = { fromSeq: (after ?? 0) + 1, toSeq: before === undefined ? end : Math.min(end, before - 1) };
      const visible = without(withinSpans(asked, spans), live.skips);
      const found = await collect(live, visible, oldestFirst, limit + 1);
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
