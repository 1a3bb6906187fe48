import { badRequest, notFound } from '../../shared/model/errors.ts';
import type { Message } from '../../shared/model/model.ts';
import type { Conversations, LiveConversation } from '../../shared/redis/conversations/conversations.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { newestFirst, unreadOf } from '../../shared/redis/inboxes/unread.ts';
import type { ConversationState } from '../../shared/redis/inboxes/user-fields.ts';
import { type ConversationStates, peerOf } from './conversation-states.ts';
import type { HistoryPages } from './history-pages.ts';
import { createNewestThatCounts } from './newest-that-counts.ts';

/** A conversation as one user sees it. Lists and groups of more than 1,000 members have no `members`. */
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
  /** Present only if the conversation does not use the deployment's retention. */
  historyDays?: number;
  /** Of a direct conversation: how far the other user has received and read it, if that is known. */
  peerReceivedSeq?: number;
  peerReadSeq?: number;
};

/** What a direct conversation says of the receipts of the other user. Never rejects. */
export type PeerReceipts = (
  conversation: string,
  user: string,
) => Promise<Pick<ConversationView, 'peerReceivedSeq' | 'peerReadSeq'>>;

const membersShown = 1000;

/**
 * How far a user has read, even while its inbox lags: at least up to its joining, and up to the last message if the
 * user wrote it.
 */
function readSeqOf(
  user: string,
  live: LiveConversation,
  state: ConversationState | null,
  last: Message | null,
): number {
  const written = last !== null && last.sender === user && last.seq > (state?.lastSeq ?? 0) ? last.seq : 0;
  return Math.max(state?.readSeq ?? 0, live.spans.at(-1)?.joined ?? 0, written);
}

/** The inverse of the cursor that `list` returns. Throws `bad_request` for any other text. */
function cursor(after: string): { at: number; conversation: string } {
  const found = /^(\d{1,16})\.([A-Za-z0-9_-]{1,64})$/.exec(after);
  if (found === null) throw badRequest('after: not a cursor of this list');
  return { at: Number(found[1]), conversation: found[2]! };
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

/**
 * Conversations and their members for clients. Lists follow the inbox, so they may lag behind `accepted`. Names and
 * members come from the conversation itself.
 */
export function createConversationViews(
  conversationStates: ConversationStates,
  inboxes: Pick<Inboxes, 'conversationState' | 'user'>,
  conversations: Pick<Conversations, 'read' | 'memberPage'>,
  history: HistoryPages,
  peerReceipts: PeerReceipts,
) {
  const newestThatCounts = createNewestThatCounts(history);

  /** If Redis does not know the conversation, the whole user is read: that reloads what a loss of Redis removed. */
  async function stateOf(user: string, conversation: string): Promise<ConversationState | null> {
    const state = await inboxes.conversationState(user, conversation);
    if (state !== null) return state;
    return (await inboxes.user(user)).conversations.find((one) => one.conversation === conversation) ?? null;
  }

  return {
    /** Newest first, at most `most`. `next`, if present, is the `after` of the next page. */
    async list(
      user: string,
      after: string | undefined,
      most: number,
    ): Promise<{ conversations: ConversationView[]; next?: string }> {
      const from = after === undefined ? null : cursor(after);
      const { states, shared } = await conversationStates.of(user);
      const all = newestFirst(states.filter(({ member }) => member));
      const rest =
        from === null
          ? all
          : all.filter(({ at, conversation }) => at < from.at || (at === from.at && conversation > from.conversation));
      const shown = rest.slice(0, most);
      const described = await conversationStates.describe(user, { states: shown, shared });
      const views = await Promise.all(
        described.map(async ({ state, live, last }) => ({
          ...view(user, live, state, last, state.lastSeq),
          ...(live.info.kind === 'direct' ? await peerReceipts(live.info.id, user) : {}),
        })),
      );
      const end = shown.at(-1);
      return rest.length > shown.length && end
        ? { conversations: views, next: `${end.at}.${end.conversation}` }
        : { conversations: views };
    },

    /**
     * One conversation with its members. `user` null: as a service sees it. Rejects with `not_found` if `user` is not
     * a current member.
     */
    async one(conversation: string, user: string | null): Promise<ConversationView> {
      const live = await conversations.read(conversation, { user: user ?? '' });
      if (user !== null && live.spans.at(-1)?.left !== null) throw notFound();
      const state = user === null ? null : await stateOf(user, conversation);
      const { last, lastSeq: newest, quiet } = await newestThatCounts(conversation, user);
      // The inbox may lag behind the newest message. Seqs that a loss skipped after it count only if the inbox has
      // them.
      const lastSeq = Math.max(newest === 0 ? live.lastSeq : newest, state?.lastSeq ?? 0);
      const shown = view(user ?? '', live, state, last, lastSeq);
      if (user === null) delete shown.peer;
      else {
        if (live.info.kind === 'direct') Object.assign(shown, await peerReceipts(conversation, user));
        shown.readSeq = readSeqOf(user, live, state, last);
        // While the inbox lags, and in a large group, only the conversation and history know
        // which seqs do not count.
        shown.unread = unreadOf({
          lastSeq,
          readSeq: shown.readSeq,
          joined: 0,
          quiet: [...(state?.quiet ?? []), ...live.skips, ...live.quiet, ...quiet],
        });
      }
      if (live.memberCount > membersShown) return shown;
      return { ...shown, members: await conversations.memberPage(conversation, user, '', membersShown) };
    },

    /** The members in rising order of their ids, above `after`. */
    async members(conversation: string, user: string | null, after: string, most: number) {
      const found = await conversations.memberPage(conversation, user, after, most + 1);
      const shown = found.slice(0, most);
      return { members: shown, ...(found.length > most ? { next: shown.at(-1)!.user } : {}) };
    },
  };
}

export type ConversationViews = ReturnType<typeof createConversationViews>;
