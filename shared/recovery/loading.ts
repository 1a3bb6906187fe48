import type { HistoryStore } from '../history/store.ts';
import { retryLater } from '../model/errors.ts';
import { directConversation } from '../model/ids.ts';
import { encodeSpans } from '../model/spans.ts';
import type { Conversations } from '../redis/conversations/conversations.ts';
import type { Inboxes } from '../redis/inboxes/inboxes.ts';
import type { Refill } from './refilling.ts';

const rowsAtOnce = 500;

/**
 * Brings back from history what Redis lost, one conversation or user at a time, when it is first needed. Loads of the
 * same thing are joined; the installing scripts let the first of several processes win.
 */
export function createLoading(history: HistoryStore, deployment: { readonly isOpen: boolean }, refill: Refill) {
  const conversations = new Map<string, Promise<boolean>>();
  const users = new Map<string, Promise<void>>();

  const joined = <T>(under: Map<string, Promise<T>>, id: string, load: () => Promise<T>): Promise<T> => {
    let found = under.get(id);
    if (found === undefined) {
      found = load().finally(() => under.delete(id));
      under.set(id, found);
    }
    return found;
  };

  return {
    /**
     * Loads a conversation. `two` are the users (comma-joined) of a direct one, which may be made when history knows
     * nothing of it. Resolves false when there is nothing to install. Rejects when history does not answer, or with
     * `retry_later`.
     */
    conversation: (into: Pick<Conversations, 'install'>, id: string, two = ''): Promise<boolean> =>
      joined(conversations, id, async () => {
        // A mark that is not what history has is named only after history was read once more: what was read may be
        // older than it. So each turn but the second needs somebody who loads and unloads the conversation in between.
        for (let mark = ''; ;) {
          const stored = await history.conversation(id);
          if (stored === null && (two === '' || directConversation(...(two.split(',') as [string, string])) !== id))
            return false;
          const members =
            stored?.members.map(({ user, spans, version }) => ({ user, spans: encodeSpans(spans), version })) ?? [];
          const content = stored && { ...stored, members };
          // It appends to the stream: in a Redis that is yet to be compared with history that would hide what is
          // missing.
          if (!deployment.isOpen) throw retryLater('storage is being opened');
          if (stored !== null) await refill(id);
          const found = await into.install(content, id, stored === null ? two : '', mark);
          if (found === null) return true;
          mark = found;
        }
      }),

    /** Gives a user the conversations that history knows. */
    user: (into: Pick<Inboxes, 'install'>, user: string): Promise<void> =>
      joined(users, user, async () => {
        let after = '';
        for (;;) {
          const rows = await history.conversationsOf(user, after, rowsAtOnce);
          const done = rows.length < rowsAtOnce;
          await into.install(
            user,
            rows.map(({ member: { conversation, spans }, lastSeq, skips }) => ({
              conversation,
              spans,
              lastSeq,
              skips,
            })),
            done,
          );
          if (done) return;
          after = rows.at(-1)!.member.conversation;
        }
      }),
  };
}
