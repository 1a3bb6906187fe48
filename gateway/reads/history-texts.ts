import type { Block, HistoryStore } from '../../shared/history/store.ts';
import { type Amendment, targetOf } from '../../shared/model/amendment.ts';
import { retryLater } from '../../shared/model/errors.ts';
import type { SeqRange } from '../../shared/model/model.ts';
import type { LiveConversation } from '../../shared/redis/conversations/conversations.ts';
import { recentLimits, type TextRun, worthKeeping } from '../../shared/redis/conversations/recent.ts';
import { createCoalescedReads } from './coalesced-reads.ts';
import { laidOver, newestOfEach, type Overlays } from './laid-over.ts';

/** A conversation as Redis gave it when a page was begun. `storeAsked`: part of the page came from the store. */
export type PageSource = LiveConversation & { storeAsked: boolean };

/**
 * The newest run of consecutive seqs in these blocks, among the seqs that are recent enough to keep in Redis. Null if
 * the blocks hold none of them. Outside of the range, for which the amendments are known, none is kept that may be
 * amended.
 */
function newestRun(
  blocks: readonly Block[],
  { info, lastSeq, amendSeq }: LiveConversation,
  { fromSeq, toSeq }: SeqRange,
  overlays: Overlays,
): TextRun | null {
  const bySeq = new Map<number, string>();
  const least = Math.max(1, lastSeq - recentLimits.messages + 1);
  for (const { firstSeq, texts } of blocks) {
    for (let seq = Math.max(firstSeq, least); seq < firstSeq + texts.length; seq++) {
      const isKnown = seq > amendSeq || (seq >= fromSeq && seq <= toSeq);
      if (isKnown && !bySeq.has(seq)) bySeq.set(seq, laidOver(texts[seq - firstSeq]!, seq, overlays));
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

const answered = <Answer>(answer: Promise<Answer>): Promise<Answer> =>
  answer.catch((thrown: unknown) => {
    throw retryLater('history does not answer now', thrown);
  });

/**
 * Message texts by seq, as who sees everything reads them (laid-over.ts): from Redis where it has them, otherwise from
 * the store. What Redis keeps is laid over already. What amends an unsettled message is unsettled too, unless Redis has
 * lost it since: then history alone knows. So for an unsettled message below the newest amendment its rows are asked.
 */
export function createHistoryTexts(
  history: Pick<HistoryStore, 'blocks' | 'conversation' | 'keptFrom' | 'amendments' | 'amendmentsBy'>,
  keep: ((texts: TextRun, amendSeq: number) => void) | undefined,
) {
  const reads = createCoalescedReads(history);

  /** What history has laid over unsettled messages of a range, and over those that they amend. */
  async function archivedAmendments(live: LiveConversation, { fromSeq, toSeq }: SeqRange): Promise<Amendment[]> {
    const older: number[] = [];
    for (const [seq, text] of live.unsettled)
      if (seq >= fromSeq && seq <= toSeq && seq < live.amendSeq) older.push(seq, targetOf(text) ?? seq);
    if (older.length === 0) return [];
    return answered(history.amendments(live.info.id, Math.min(...older), Math.max(...older)));
  }

  /**
   * Whether the store accounts for every seq without a text: it was removed by now, is a hole, or is a dead letter that
   * was not replayed.
   */
  async function areRecorded(
    conversation: string,
    { fromSeq, toSeq }: SeqRange,
    found: Map<number, string>,
    keptFrom: number,
  ): Promise<boolean> {
    const skips = (await answered(history.conversation(conversation)))?.skips ?? [];
    for (let seq = Math.max(fromSeq, keptFrom); seq <= toSeq; seq++) {
      if (!found.has(seq) && !skips.some((skip) => skip.fromSeq <= seq && seq <= skip.toSeq)) return false;
    }
    return true;
  }

  /**
   * The texts of a range by seq. A seq that is not among them is recorded as absent. Below `keptFrom` the store keeps
   * nothing. Rejects with `retry_later` if a text is neither found nor recorded as absent.
   */
  return async (
    live: PageSource,
    { fromSeq, toSeq }: SeqRange,
  ): Promise<{ found: Map<number, string>; keptFrom: number }> => {
    const found = new Map<number, string>();
    const unsettled = newestOfEach(live.amendments, await archivedAmendments(live, { fromSeq, toSeq }));
    let missing = false;
    for (let seq = fromSeq; seq <= toSeq; seq++) {
      const sent = live.unsettled.get(seq);
      const text = sent === undefined ? live.recent?.texts.get(seq) : laidOver(sent, seq, unsettled);
      if (text === undefined) missing = true;
      else found.set(seq, text);
    }
    if (!missing) return { found, keptFrom: 1 };
    const isFirst = !live.storeAsked;
    live.storeAsked = true;
    const take = (blocks: Block[], overlays: Overlays): boolean => {
      for (const block of blocks) {
        for (let seq = Math.max(fromSeq, block.firstSeq); seq <= Math.min(toSeq, block.lastSeq); seq++) {
          const text = block.texts[seq - block.firstSeq];
          if (text !== undefined && !found.has(seq)) found.set(seq, laidOver(text, seq, overlays));
        }
      }
      return found.size === toSeq - fromSeq + 1;
    };
    const first = await answered(reads.joined(live, fromSeq, toSeq));
    const overlays = newestOfEach(first.amendments, live.amendments);
    const run = first.joined || !isFirst ? null : newestRun(first.blocks, live, { fromSeq, toSeq }, overlays);
    const worth = run && worthKeeping(run, live.recent);
    if (worth) keep?.(worth, live.amendSeq);
    if (take(first.blocks, overlays)) return { found, keptFrom: 1 };
    if (first.joined) {
      // A read that began before this reader asked Redis may lack what was archived in between.
      const own = await answered(reads.alone(live, fromSeq, toSeq));
      if (take(own.blocks, newestOfEach(own.amendments))) return { found, keptFrom: 1 };
    }
    const keptFrom = await answered(history.keptFrom(live.info.id));
    if (await areRecorded(live.info.id, { fromSeq, toSeq }, found, keptFrom)) return { found, keptFrom };
    throw retryLater('history is being written');
  };
}

export type HistoryTexts = ReturnType<typeof createHistoryTexts>;
