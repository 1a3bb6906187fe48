import { notFound, Refusal } from '../../shared/model/errors.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import type { Route } from '../../shared/redis/inboxes/device-routes.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';

/** A read seq has moved. `device`: the one that moved it, if it is known; `routes`: where the user is connected. */
export type ReadMoved = {
  user: string;
  conversation: string;
  seq: number;
  device: string | null;
  routes: readonly Route[];
};

/** Who wrote something that the reader was handed, and the last seq of it. */
type Sender = { user: string; seq: number };

/**
 * Moves a user's read seq forward, to at most the last seq of the conversation. Resolves with the read seq that now
 * holds. Rejects with `not_found` if the user is not a current member. `tell` is called when it has moved, `note` each
 * time, since what it notes may lag behind; neither may throw.
 */
export const createMarkRead =
  (
    conversations: Pick<Conversations, 'read'>,
    inboxes: Pick<Inboxes, 'read'>,
    tell: (moved: ReadMoved) => void,
    note: (user: string, conversation: string, seq: number, senders: readonly Sender[]) => void,
  ) =>
  async (
    user: string,
    conversation: string,
    seq: number,
    device: string | null,
    senders: readonly Sender[] = [],
  ): Promise<number> => {
    const live = await conversations.read(conversation, { user });
    const span = live.spans.at(-1);
    if (span === undefined || span.left !== null) throw notFound();
    const asked = Math.max(span.joined, Math.min(seq, live.lastSeq));
    const read = await inboxes.read(user, conversation, asked, span.joined);
    if (read.moved !== null) tell({ user, conversation, seq: read.seq, device, routes: read.moved });
    note(user, conversation, read.seq, senders);
    return read.seq;
  };

export type MarkRead = ReturnType<typeof createMarkRead>;

/** Turns the `not_found` of a direct conversation without a message into an empty answer. */
export const unusedIsEmpty =
  <T>(direct: boolean, empty: T) =>
  (thrown: unknown): T => {
    if (direct && thrown instanceof Refusal && thrown.code === 'not_found') return empty;
    throw thrown;
  };
