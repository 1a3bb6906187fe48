import { notFound, Refusal } from '../../shared/model/errors.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';

/**
 * Moves a user's read seq forward, to at most the last seq of the conversation. Resolves with the read seq that now
 * holds. Rejects with `not_found` if the user is not a current member.
 */
export const createMarkRead =
  (conversations: Pick<Conversations, 'read'>, inboxes: Pick<Inboxes, 'read'>) =>
  async (user: string, conversation: string, seq: number): Promise<number> => {
    const live = await conversations.read(conversation, { user });
    const span = live.spans.at(-1);
    if (span === undefined || span.left !== null) throw notFound();
    return inboxes.read(user, conversation, Math.max(span.joined, Math.min(seq, live.lastSeq)), span.joined);
  };

export type MarkRead = ReturnType<typeof createMarkRead>;

/** Turns the `not_found` of a direct conversation without a message into an empty answer. */
export const unusedIsEmpty =
  <T>(direct: boolean, empty: T) =>
  (thrown: unknown): T => {
    if (direct && thrown instanceof Refusal && thrown.code === 'not_found') return empty;
    throw thrown;
  };
