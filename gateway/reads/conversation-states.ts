import pLimit from 'p-limit';
import { counts } from '../../shared/model/amendment.ts';
import { Refusal } from '../../shared/model/errors.ts';
import { parseMessage } from '../../shared/model/message-text.ts';
import type { Message } from '../../shared/model/model.ts';
import { covers } from '../../shared/model/spans.ts';
import type { Conversations, LiveConversation } from '../../shared/redis/conversations/conversations.ts';
import type { LargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { newestCounting } from '../../shared/redis/inboxes/unread.ts';
import type { ConversationState } from '../../shared/redis/inboxes/user-fields.ts';
import type { HistoryPages } from './history-pages.ts';
import { createNewestOfLarge } from './newest-of-large-group.ts';
import { createNewestThatCounts } from './newest-that-counts.ts';

/** One conversation of a user with what lists show of it. `live` null: unloaded, and history is away. */
export type DescribedState = { state: ConversationState; live: LiveConversation | null; last: Message | null };

/**
 * A user's conversations. `shared`: the ids of the large groups whose newest message is the same for all members, so
 * that one read of it serves them all.
 */
export type UserStates = { states: ConversationState[]; shared: Set<string> };

const readsAtOnce = 32;

/** The conversations of a user as the inbox knows them, with names, members and newest messages added. */
export function createConversationStates(
  inboxes: Pick<Inboxes, 'user' | 'textsAt'>,
  conversations: Pick<Conversations, 'read'>,
  groups: Pick<LargeGroups, 'read'>,
  history: HistoryPages,
) {
  const limit = pLimit(readsAtOnce);
  const newestOfLarge = createNewestOfLarge();
  const newestThatCounts = createNewestThatCounts(history);

  /** The inbox does not follow large groups: their newest seq and time are read from the groups themselves. */
  async function of(user: string): Promise<UserStates> {
    const shared = new Set<string>();
    const { conversations: all, larges } = await inboxes.user(user);
    if (larges.length === 0) return { states: all, shared };
    const found = new Map(
      await Promise.all(larges.map(async (id) => [id, await limit(() => groups.read(id, [user]))] as const)),
    );
    const states = all.map((state) => {
      const group = found.get(state.conversation);
      if (!group) return state;
      const spans = group.spans[0]!;
      const lastSeq = Math.max(state.lastSeq, Math.min(group.lastSeq, spans.at(-1)?.left ?? group.lastSeq));
      const quiet = [...state.quiet, ...group.quiet];
      const shown = newestCounting(lastSeq, quiet);
      if (spans.some((span) => covers(span, lastSeq) && covers(span, shown))) shared.add(state.conversation);
      if (lastSeq === state.lastSeq) return { ...state, quiet };
      return { ...state, quiet, lastSeq, at: Math.max(state.at, group.at), position: 0 };
    });
    return { states, shared };
  }

  /**
   * The newest message that counts of a conversation, where the inbox does not hold it. `patient`: while history is
   * away it is null, and no failure.
   */
  async function newestInHistory(user: string, conversation: string, patient: boolean): Promise<Message | null> {
    try {
      return (await limit(() => newestThatCounts(conversation, user))).last;
    } catch (thrown) {
      if (thrown instanceof Refusal && (thrown.code === 'not_found' || (patient && thrown.retryable))) return null;
      throw thrown;
    }
  }

  async function newestMessages(
    user: string,
    { states, shared }: UserStates,
    patient: boolean,
  ): Promise<(Message | null)[]> {
    const inInbox = states.filter(({ position }) => position > 0);
    const texts = await inboxes.textsAt(
      user,
      inInbox.map(({ position }) => position),
    );
    const byConversation = new Map(inInbox.map(({ conversation }, i) => [conversation, texts[i]]));
    return Promise.all(
      states.map(async ({ conversation, lastSeq, quiet }) => {
        const text = byConversation.get(conversation);
        const held = text ? parseMessage(text) : null;
        if (held !== null && counts(held)) return held;
        if (lastSeq === 0) return null;
        const read = () => newestInHistory(user, conversation, patient);
        return shared.has(conversation)
          ? newestOfLarge(conversation, newestCounting(lastSeq, quiet), read, lastSeq)
          : read();
      }),
    );
  }

  /** Empty for a conversation that is unknown by now: it must not keep its user from connecting. */
  async function describeOne(
    user: string,
    state: ConversationState,
    last: Message | null,
    patient: boolean,
  ): Promise<DescribedState[]> {
    try {
      return [{ state, live: await limit(() => conversations.read(state.conversation, { user })), last }];
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      if (thrown.code === 'not_found') return [];
      if (patient && thrown.retryable) return [{ state, live: null, last }];
      throw thrown;
    }
  }

  async function describe(user: string, listed: UserStates, patient: boolean): Promise<DescribedState[]> {
    const lasts = await newestMessages(user, listed, patient);
    const described = listed.states.map((state, i) => describeOne(user, state, lasts[i]!, patient));
    return (await Promise.all(described)).flat();
  }

  return {
    of,
    /** Rejects with `retry_later` while history is away and something is needed from it. */
    describe: async (user: string, listed: UserStates) =>
      (await describe(user, listed, false)) as (DescribedState & { live: LiveConversation })[],
    /** Leaves out what only history knows while history is away. */
    describePatiently: (user: string, listed: UserStates) => describe(user, listed, true),
  };
}

export type ConversationStates = ReturnType<typeof createConversationStates>;

/** The other user of a direct conversation; nothing for a group. */
export function peerOf({ info: { users } }: LiveConversation, user: string): { peer?: string } {
  if (users === null) return {};
  return { peer: users[0] === user ? users[1] : users[0] };
}
