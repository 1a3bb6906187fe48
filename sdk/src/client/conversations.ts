import { createConversation } from '../view/conversation.ts';
import type { Attached, OneConversation, OwnConversation } from '../view/own-conversation.ts';
import type { Conversations, Inside } from './inside.ts';

/** The conversations that somebody has asked for, and the list of all that are known. */
export function createConversations(inside: Inside, attach: (one: OneConversation) => Attached[]): Conversations {
  const { list } = inside;
  const asked = new Map<string, OwnConversation>();

  return {
    of(id, peer) {
      let found = asked.get(id);
      if (found === undefined) asked.set(id, (found = createConversation(inside, id, peer, attach)));
      return found;
    },
    find: (id) => asked.get(id),
    all: () => [...asked.values()],
    show(rows, messages) {
      list.set(rows);
      for (const row of rows)
        asked.get(row.id)?.changed(
          row,
          messages.filter(({ conversation }) => conversation === row.id),
        );
    },
    target(id) {
      const peer = list.get(id)?.peer ?? asked.get(id)?.info.get().peer;
      return peer === undefined ? { conversation: id } : { to: peer };
    },
    isOpen: (id) => asked.get(id)?.isOpen === true || inside.tabs?.isLookedAt(id) === true,
  };
}
