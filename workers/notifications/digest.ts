import { counts } from '../../shared/model/amendment.ts';
import { parseMessage } from '../../shared/model/message-text.ts';
import type { Message } from '../../shared/model/model.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { unreadAmong, unreadOf } from '../../shared/redis/inboxes/unread.ts';
import { wallMs } from '../../shared/timing/clocks.ts';

/**
 * The content of a notification. `last` is null when the inbox does not hold the newest message that
 * counts. `at`: ms since 1970.
 */
export type Digest = {
  type: 'digest';
  user: string;
  total: number;
  conversations: { conversation: string; unread: number; last: Message | null }[];
  at: number;
};

function messageThatCounts(text: string | null): Message | null {
  const message = text === null ? null : parseMessage(text);
  return message !== null && counts(message) ? message : null;
}

/**
 * A user's unread messages as the inbox has them, so nothing that the user may not see. It shows the newest 100
 * conversations; `total` counts all of them. Large groups are left out: the inbox does not follow them, so its counts
 * would be old. Resolves null when everything was read, received or not.
 *
 * `seen` is told the ids of the messages that it shows: their entries must not be missing later (evidence.ts).
 */
export async function buildDigest(
  inboxes: Pick<Inboxes, 'user' | 'textsAt'>,
  user: string,
  seen: (id: string) => void,
): Promise<Digest | null> {
  const { conversations: all, larges } = await inboxes.user(user);
  const { total, shown } = unreadAmong(all.filter(({ conversation }) => !larges.includes(conversation)));
  if (total === 0) return null;
  const texts = await inboxes.textsAt(
    user,
    shown.map(({ position }) => position),
  );
  const conversations = shown.map((state, i) => {
    const last = messageThatCounts(texts[i] ?? null);
    if (last !== null) seen(last.id);
    return { conversation: state.conversation, unread: unreadOf(state), last };
  });
  return { type: 'digest', user, total, conversations, at: wallMs() };
}
