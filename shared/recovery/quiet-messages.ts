import { LRUCache } from 'lru-cache';
import type { HistoryStore } from '../history/store.ts';
import { isQuiet } from '../model/amendment.ts';
import { mostQuietSeqs } from '../model/limits.ts';
import { parseMessage } from '../model/message-text.ts';
import type { SeqRange } from '../model/model.ts';

/** How many of a conversation's newest messages are looked at. */
const mostLookedAt = 200;
const blocksAtOnce = 20;
/** After a loss the members of a group are loaded one after the other, and all ask the same. */
const mostKept = 10_000;

/** A conversation as history has it; `amendSeq` 0: nothing in it was ever amended. */
type Known = { conversation: string; lastSeq: number; amendSeq: number };

/**
 * The newest seqs of a conversation that do not count as unread: amendments, and messages that were recalled, as far as
 * its newest messages in history say. Redis knows them by itself until it loses them.
 */
export function createQuietMessages(history: Pick<HistoryStore, 'blocks' | 'amendments'>) {
  const kept = new LRUCache<string, Promise<SeqRange[]>>({ max: mostKept });

  async function read(conversation: string): Promise<SeqRange[]> {
    const quiet = new Set<number>();
    let looked = 0;
    let lowest = Number.MAX_SAFE_INTEGER;
    for (let toSeq = lowest; looked < mostLookedAt && toSeq > 0;) {
      const blocks = await history.blocks(conversation, 1, toSeq, 'newest', blocksAtOnce);
      for (const { texts } of blocks)
        for (const { seq, kind } of texts.map(parseMessage)) {
          looked += 1;
          lowest = Math.min(lowest, seq);
          if (isQuiet(kind)) quiet.add(seq);
        }
      toSeq = blocks.length < blocksAtOnce ? 0 : blocks.at(-1)!.firstSeq - 1;
    }
    for (const { seq, action } of await history.amendments(conversation, lowest, Number.MAX_SAFE_INTEGER))
      if (action === 'recall') quiet.add(seq);
    const newest = [...quiet].sort((one, other) => one - other).slice(-mostQuietSeqs);
    return newest.map((seq) => ({ fromSeq: seq, toSeq: seq }));
  }

  return async ({ conversation, lastSeq, amendSeq }: Known): Promise<SeqRange[]> => {
    if (amendSeq === 0) return [];
    const key = `${conversation} ${lastSeq} ${amendSeq}`;
    let found = kept.get(key);
    if (found === undefined) {
      found = read(conversation);
      kept.set(key, found);
      found.catch(() => kept.delete(key));
    }
    return found;
  };
}
