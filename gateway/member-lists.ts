import { LRUCache } from 'lru-cache';
import { notFound } from '../shared/errors.ts';
import type { Span } from '../shared/model.ts';
import type { Conversations } from '../shared/redis/conversations.ts';

/** `joinedSeq` is the seq before the first that the member sees. */
export type Member = { user: string; joinedSeq: number };

const mostKeptMembers = 300_000;

/** Who is a member now, in rising order of their ids. */
export const currentMembers = (members: Map<string, Span[]>): Member[] =>
  [...members]
    .filter(([, spans]) => spans.at(-1)?.left === null)
    .map(([user, spans]) => ({ user, joinedSeq: spans.at(-1)!.joined }))
    .sort((one, other) => (one.user < other.user ? -1 : 1));

/**
 * The members of conversations, for who pages through them: a list is kept with the conversation's version and is good while that is the
 * same, so that a hundred pages of a large group are read and sorted once.
 */
export function createMemberLists(read: Conversations['read']) {
  const lists = new LRUCache<string, { version: number; members: Member[] }>({
    maxSize: mostKeptMembers,
    sizeCalculation: ({ members }) => members.length + 1,
  });

  return {
    /** `user` null: as a service sees it. Rejects with `not_found` for who is not a member now. */
    async of(conversation: string, user: string | null): Promise<Member[]> {
      const now = await read(conversation, { user: user ?? '' });
      if (user !== null && now.spans.at(-1)?.left !== null) throw notFound();
      const kept = lists.get(conversation);
      if (kept !== undefined && kept.version === now.info.version) return kept.members;
      const { info, members } = await read(conversation, { members: Infinity });
      const list = currentMembers(members);
      lists.set(conversation, { version: info.version, members: list });
      return list;
    },
  };
}

export type MemberLists = ReturnType<typeof createMemberLists>;
