import pLimit from 'p-limit';
import { badRequest, notFound, Refusal } from '../../shared/model/errors.ts';
import { parseMessage } from '../../shared/model/message-text.ts';
import type { Message } from '../../shared/model/model.ts';
import { covers } from '../../shared/model/spans.ts';
import type { Conversations, LiveConversation } from '../../shared/redis/conversations/conversations.ts';
import type { LargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import type { ConversationState, Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { newestFirst, unreadAmong, unreadOf } from '../../shared/redis/inboxes/unread.ts';
import type { HistoryPages } from './history-pages.ts';
import { createNewestOfLarge } from './newest-of-large-group.ts';

/** A conversation as one user sees it. `members` is left out of lists and of groups above 1,000 members. */
export type ConversationView = {
  id: string;
  kind: 'direct' | 'group';
  name: string | null;
  peer?: string;
  members?: { user: string; joinedSeq: number }[];
  memberCount: number;
  lastSeq: number;
  readSeq: number;
  unread: number;
  last: Message | null;
  createdAt: number;
  /** Only where it has days of its own. */
  historyDays?: number;
};

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

const membersShown = 1000;
const readsAtOnce = 32;

/** How far a user has read, also while its inbox lags: at least up to its joining, and to what it wrote itself. */
function readSeqOf(
  user: string,
  live: LiveConversation,
  state: ConversationState | null,
  last: Message | null,
): number {
  const written = last !== null && last.sender === user && last.seq > (state?.lastSeq ?? 0) ? last.seq : 0;
  return Math.max(state?.readSeq ?? 0, live.spans.at(-1)?.joined ?? 0, written);
}

/**
 * What a user sees of its conversations. Lists and the unread summary follow the inbox, so they may lag `accepted`;
 * names and members come from where they are decided.
 */
export function createViews(
  inboxes: Inboxes,
  conversations: Conversations,
  groups: Pick<LargeGroups, 'read'>,
  history: HistoryPages,
) {
  const limit = pLimit(readsAtOnce);
  const newestOfLarge = createNewestOfLarge();

  /**
   * The conversations of a user. The inbox does not follow large groups: they are as they stand now; `shared` are those
   * of them whose newest message is the same for all members.
   */
  async function statesOf(user: string): Promise<{ states: ConversationState[]; shared: Set<string> }> {
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
      if (spans.some((span) => covers(span, lastSeq))) shared.add(state.conversation);
      return lastSeq === state.lastSeq ? state : { ...state, lastSeq, at: Math.max(state.at, group.at), position: 0 };
    });
    return { states, shared };
  }

  /**
   * The newest message of a conversation whose inbox entry is gone. `patient`: none rather than a failure while history
   * is away.
   */
  async function newestInHistory(user: string, conversation: string, patient: boolean): Promise<Message | null> {
    try {
      const { messages } = await limit(() => history.page(conversation, user, { limit: 1 }));
      return messages[0] === undefined ? null : parseMessage(messages[0]);
    } catch (thrown) {
      if (thrown instanceof Refusal && (thrown.code === 'not_found' || (patient && thrown.retryable))) return null;
      throw thrown;
    }
  }

  async function newestMessages(
    user: string,
    states: ConversationState[],
    shared: Set<string>,
    patient: boolean,
  ): Promise<(Message | null)[]> {
    const standing = states.filter(({ position }) => position > 0);
    const texts = await inboxes.textsAt(
      user,
      standing.map(({ position }) => position),
    );
    const byConversation = new Map(standing.map(({ conversation }, i) => [conversation, texts[i]]));
    return Promise.all(
      states.map(async ({ conversation, lastSeq }) => {
        const text = byConversation.get(conversation);
        if (text) return parseMessage(text);
        if (lastSeq === 0) return null;
        const read = () => newestInHistory(user, conversation, patient);
        return shared.has(conversation) ? newestOfLarge(conversation, lastSeq, read) : read();
      }),
    );
  }

  const peerOf = (live: LiveConversation, user: string): { peer?: string } => {
    const { users } = live.info;
    if (users === null) return {};
    return { peer: users[0] === user ? users[1] : users[0] };
  };

  /** One that nobody knows any more is left out: it must not keep its user from connecting. */
  async function describedOne(user: string, state: ConversationState, last: Message | null) {
    try {
      return [{ state, live: await limit(() => conversations.read(state.conversation, { user })), last }];
    } catch (thrown) {
      if (thrown instanceof Refusal && thrown.code === 'not_found') return [];
      throw thrown;
    }
  }

  async function described(user: string, states: ConversationState[], shared: Set<string>) {
    const lasts = await newestMessages(user, states, shared, false);
    return (await Promise.all(states.map((state, i) => describedOne(user, state, lasts[i]!)))).flat();
  }

  /** The same, but one that is unloaded has no description while history is away. */
  async function describedPatiently(user: string, states: ConversationState[], shared: Set<string>) {
    const lasts = await newestMessages(user, states, shared, true);
    const one = (state: ConversationState, last: Message | null) =>
      describedOne(user, state, last).catch((thrown: unknown) => {
        if (thrown instanceof Refusal && thrown.retryable) return [{ state, live: null, last }];
        throw thrown;
      });
    return (await Promise.all(states.map((state, i) => one(state, lasts[i]!)))).flat();
  }

  const view = (
    user: string,
    live: LiveConversation,
    state: ConversationState | null,
    last: Message | null,
    lastSeq: number,
  ): ConversationView => ({
    id: live.info.id,
    kind: live.info.kind,
    name: live.info.name,
    ...peerOf(live, user),
    memberCount: live.memberCount,
    lastSeq,
    readSeq: state?.readSeq ?? live.spans.at(-1)?.joined ?? 0,
    unread: state === null ? 0 : unreadOf(state),
    last,
    createdAt: live.info.createdAt,
    ...(live.info.historyDays === null ? {} : { historyDays: live.info.historyDays }),
  });

  /** Asks for the whole user when Redis does not know the conversation: after a loss that loads what history knows. */
  async function stateOf(user: string, conversation: string): Promise<ConversationState | null> {
    const state = await inboxes.conversationState(user, conversation);
    if (state !== null) return state;
    return (await inboxes.user(user)).conversations.find((one) => one.conversation === conversation) ?? null;
  }

  function cursor(after: string): { at: number; conversation: string } {
    const found = /^(\d{1,16})\.([A-Za-z0-9_-]{1,64})$/.exec(after);
    if (found === null) throw badRequest('after: not a cursor of this list');
    return { at: Number(found[1]), conversation: found[2]! };
  }

  return {
    /**
     * Does without newest messages, names and peers that only history has while that is away: nobody is kept from
     * connecting by it.
     */
    async unread(user: string): Promise<UnreadSummary> {
      const { states, shared } = await statesOf(user);
      const { total, shown, more } = unreadAmong(states);
      if (total === 0) return { total, conversations: [], more };
      return {
        total,
        conversations: (await describedPatiently(user, shown, shared)).map(({ state: one, live, last }) => ({
          conversation: one.conversation,
          ...(live === null ? {} : live.info.kind === 'direct' ? peerOf(live, user) : { name: live.info.name }),
          unread: unreadOf(one),
          readSeq: one.readSeq,
          lastSeq: one.lastSeq,
          last,
        })),
        more,
      };
    },

    /** Newest first. `next`, when present, is the `after` of the next page. */
    async list(
      user: string,
      after: string | undefined,
      most: number,
    ): Promise<{ conversations: ConversationView[]; next?: string }> {
      const from = after === undefined ? null : cursor(after);
      const { states, shared } = await statesOf(user);
      const all = newestFirst(states.filter(({ member }) => member));
      const rest =
        from === null
          ? all
          : all.filter(({ at, conversation }) => at < from.at || (at === from.at && conversation > from.conversation));
      const shown = rest.slice(0, most);
      const views = (await described(user, shown, shared)).map(({ state, live, last }) =>
        view(user, live, state, last, state.lastSeq),
      );
      const end = shown.at(-1);
      return rest.length > shown.length && end
        ? { conversations: views, next: `${end.at}.${end.conversation}` }
        : { conversations: views };
    },

    /**
     * One conversation with its members. `user` null: as a service sees it. Rejects with `not_found` for who is not a
     * member now.
     */
    async one(conversation: string, user: string | null): Promise<ConversationView> {
      const live = await conversations.read(conversation, { user: user ?? '' });
      if (user !== null && live.spans.at(-1)?.left !== null) throw notFound();
      const state = user === null ? null : await stateOf(user, conversation);
      const newest = await history.page(conversation, user, { limit: 1 });
      const last = newest.messages[0] === undefined ? null : parseMessage(newest.messages[0]);
      // The inbox may lag; what a loss skipped after the newest message is nobody's last unless the inbox counts it.
      const lastSeq = Math.max(last?.seq ?? live.lastSeq, state?.lastSeq ?? 0);
      const shown = view(user ?? '', live, state, last, lastSeq);
      if (user === null) delete shown.peer;
      else {
        shown.readSeq = readSeqOf(user, live, state, last);
        // Where the inbox lags, only the conversation knows yet what a loss skipped.
        shown.unread = unreadOf({
          lastSeq,
          readSeq: shown.readSeq,
          joined: 0,
          quiet: [...(state?.quiet ?? []), ...live.skips],
        });
      }
      if (live.memberCount > membersShown) return shown;
      return { ...shown, members: await conversations.memberPage(conversation, user, '', membersShown) };
    },

    /** The members in rising order of their id, above `after`. */
    async members(conversation: string, user: string | null, after: string, most: number) {
      const found = await conversations.memberPage(conversation, user, after, most + 1);
      const shown = found.slice(0, most);
      return { members: shown, ...(found.length > most ? { next: shown.at(-1)!.user } : {}) };
    },

    /** Moves a user's read seq forward, clamped to the conversation's last. Resolves the seq now in force. */
    async read(user: string, conversation: string, seq: number): Promise<number> {
      const live = await conversations.read(conversation, { user });
      const span = live.spans.at(-1);
      if (span === undefined || span.left !== null) throw notFound();
      return inboxes.read(user, conversation, Math.max(span.joined, Math.min(seq, live.lastSeq)), span.joined);
    },
  };
}

export type Views = ReturnType<typeof createViews>;

/** What `history` and `read` answer for a direct conversation before its first use. */
export const unusedIsEmpty =
  <T>(direct: boolean, empty: T) =>
  (thrown: unknown): T => {
    if (direct && thrown instanceof Refusal && thrown.code === 'not_found') return empty;
    throw thrown;
  };
