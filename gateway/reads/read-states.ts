import { unreadOf } from '../../shared/redis/inboxes/unread.ts';
import type { ConversationStates } from './conversation-states.ts';

/**
 * A user's own read state of some conversations, for a device that was away. Conversations of which the user is no
 * member are left out.
 */
export const createReadStates =
  (conversationStates: Pick<ConversationStates, 'of'>) => async (user: string, asked: readonly string[]) => {
    const { states } = await conversationStates.of(user);
    const byId = new Map(states.map((state) => [state.conversation, state]));
    return [...new Set(asked)].flatMap((conversation) => {
      const state = byId.get(conversation);
      if (state?.member !== true) return [];
      return [{ conversation, readSeq: Math.max(state.readSeq, state.joined), unread: unreadOf(state) }];
    });
  };

export type ReadStates = ReturnType<typeof createReadStates>;
