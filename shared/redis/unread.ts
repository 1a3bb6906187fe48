import type { ConversationState } from './inboxes.ts';

/** Most conversations that an unread summary names. */
const summarised = 100;

export const unreadOf = ({ lastSeq, readSeq, joined }: ConversationState): number => Math.max(0, lastSeq - Math.max(readSeq, joined));

/** Newest first; equal times by id, so that paging has one order. */
export const newestFirst = (one: ConversationState, other: ConversationState): number =>
  other.at - one.at || (one.conversation < other.conversation ? -1 : 1);

/** What a user has not read in the conversations that it is a member of: `total` of all, `shown` the newest of them. */
export function unreadAmong(conversations: ConversationState[]): { total: number; shown: ConversationState[]; more: boolean } {
  const unread = conversations.filter((one) => one.member && unreadOf(one) > 0);
  const shown = unread.sort(newestFirst).slice(0, summarised);
  return { total: unread.reduce((sum, one) => sum + unreadOf(one), 0), shown, more: unread.length > shown.length };
}
