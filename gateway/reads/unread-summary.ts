import type { Message } from '../../shared/model/model.ts';
import { unreadAmong, unreadOf } from '../../shared/redis/inboxes/unread.ts';
import { type ConversationStates, peerOf } from './conversation-states.ts';

/** What `welcome` says about unread messages. `more`: further conversations have some too. */
export type UnreadSummary = {
  total: number;
  conversations: {
    conversation: string;
    peer?: string;
    name?: string | null;
    unread: number;
    readSeq: number;
    lastSeq: number;
    last: Message | null;
  }[];
  more: boolean;
};

/**
 * The unread summary of a user. It follows the inbox, so it may lag behind `accepted`. While history is away it lacks
 * the messages, names and peers that only history knows: an outage of history must keep nobody from connecting.
 */
export const createUnreadSummary =
  (conversationStates: ConversationStates) =>
  async (user: string): Promise<UnreadSummary> => {
    const { states, shared } = await conversationStates.of(user);
    const { total, shown, more } = unreadAmong(states);
    if (total === 0) return { total, conversations: [], more };
    const described = await conversationStates.describePatiently(user, { states: shown, shared });
    return {
      total,
      conversations: described.map(({ state, live, last }) => ({
        conversation: state.conversation,
        ...(live === null ? {} : live.info.kind === 'direct' ? peerOf(live, user) : { name: live.info.name }),
        unread: unreadOf(state),
        readSeq: state.readSeq,
        lastSeq: state.lastSeq,
        last,
      })),
      more,
    };
  };

export type ReadUnread = ReturnType<typeof createUnreadSummary>;
