import { counts } from '../../shared/model/amendment.ts';
import { historyPageMessages } from '../../shared/model/limits.ts';
import { parseMessage } from '../../shared/model/message-text.ts';
import type { Message, SeqRange } from '../../shared/model/model.ts';
import type { HistoryPages } from './history-pages.ts';

/**
 * `last`: the newest message that counts, null if none of the newest does. `lastSeq`: of the newest of all, or 0.
 * `quiet`: the seqs above `last` of those that do not count.
 */
export type Newest = { last: Message | null; lastSeq: number; quiet: SeqRange[] };

/**
 * The newest message of a conversation that counts, from history. Amendments and recalled messages do not; behind a
 * whole page of them no other is looked for.
 */
export const createNewestThatCounts =
  (history: Pick<HistoryPages, 'page'>) =>
  async (conversation: string, user: string | null): Promise<Newest> => {
    let found: Newest = { last: null, lastSeq: 0, quiet: [] };
    for (const limit of [1, historyPageMessages]) {
      const { messages } = await history.page(conversation, user, { limit });
      // The newest comes first.
      const newest = messages.map(parseMessage);
      const at = newest.findIndex(counts);
      found = {
        last: newest[at] ?? null,
        lastSeq: newest[0]?.seq ?? 0,
        quiet: newest.slice(0, at < 0 ? newest.length : at).map(({ seq }) => ({ fromSeq: seq, toSeq: seq })),
      };
      if (found.last !== null || newest.length < limit) break;
    }
    return found;
  };

export type NewestThatCounts = ReturnType<typeof createNewestThatCounts>;
