import type { SeqRange } from '../../model/model.ts';
import type { ConversationState } from './user-fields.ts';

/** Most conversations that an unread summary names. */
const summarised = 100;

/** How many seqs of a range the others hold; they may come in any order, and overlap. */
function held({ fromSeq, toSeq }: SeqRange, ranges: readonly SeqRange[]): number {
  let count = 0;
  let counted = fromSeq - 1;
  for (const range of ranges.toSorted((one, other) => one.fromSeq - other.fromSeq)) {
    const end = Math.min(range.toSeq, toSeq);
    if (end <= counted) continue;
    count += end - Math.max(counted, range.fromSeq - 1);
    counted = end;
  }
  return count;
}

/**
 * The one rule of counting: the seqs above the read seq up to the last one that the user sees, without those that do
 * not count. `joined` is the seq before the first that the user sees, `quiet` holds the seqs that do not count.
 */
export function unreadOf({
  lastSeq,
  readSeq,
  joined,
  quiet,
}: Pick<ConversationState, 'lastSeq' | 'readSeq' | 'joined' | 'quiet'>): number {
  const read = Math.max(readSeq, joined);
  if (lastSeq <= read) return 0;
  return lastSeq - read - (quiet.length === 0 ? 0 : held({ fromSeq: read + 1, toSeq: lastSeq }, quiet));
}

/** The newest seq up to `lastSeq` that is not quiet; 0 if all are. */
export function newestCounting(lastSeq: number, quiet: readonly SeqRange[]): number {
  let seq = lastSeq;
  for (const { fromSeq, toSeq } of quiet.toSorted((one, other) => other.toSeq - one.toSeq)) {
    if (toSeq < seq) return seq;
    if (fromSeq <= seq) seq = fromSeq - 1;
  }
  return seq;
}

/** Newest first; equal times by id, so that paging has one order. */
const byTime = (one: ConversationState, other: ConversationState): number =>
  other.at - one.at || (one.conversation < other.conversation ? -1 : 1);

/**
 * Sorts conversations, newest first, in an order that no clock disturbs. If both newest messages are in the inbox, the
 * one with the higher position is newer. So the `at` returned is lowered to below that of conversations with a higher
 * position. A message accepted while Redis' clock was ahead does not lead the list until that hour comes.
 */
export function newestFirst(conversations: readonly ConversationState[]): ConversationState[] {
  let latest = Infinity;
  const standing = (one: ConversationState): boolean => one.position > 0 && one.at > 0;
  const ordered = conversations
    .filter(standing)
    .sort((one, other) => other.position - one.position)
    .map((one) => ({ ...one, at: (latest = Math.max(1, Math.min(one.at, latest - 1))) }));
  return [...ordered, ...conversations.filter((one) => !standing(one))].sort(byTime);
}

/** Unread messages of a user: `total` over all its conversations, `shown` the newest unread conversations. */
export function unreadAmong(conversations: ConversationState[]): {
  total: number;
  shown: ConversationState[];
  more: boolean;
} {
  const unread = conversations.filter((one) => one.member && unreadOf(one) > 0);
  const shown = newestFirst(unread).slice(0, summarised);
  return { total: unread.reduce((sum, one) => sum + unreadOf(one), 0), shown, more: unread.length > shown.length };
}
