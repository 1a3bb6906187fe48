import type { BaseConversation, DirectClient } from '../client/api.ts';
import type { Part } from '../client/part.ts';
import { directConversation } from '../direct-conversation.ts';

/** Conversations of two are found by the other user, also before their first message. */
export const direct: Part<DirectClient<BaseConversation>> = (inside) => {
  inside.direct = directConversation;
  return {
    client: {
      direct(peer) {
        const { writer, list, conversations, acts } = inside;
        const { user } = writer.meta;
        if (user === null) throw new Error('the user is not known before the first welcome');
        const id = directConversation(user, peer);
        if (list.get(id)?.peer === undefined && conversations.find(id) === undefined) void acts.describe(id, { peer });
        return conversations.of(id, peer);
      },
    },
  };
};
