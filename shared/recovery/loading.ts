import pLimit from 'p-limit';
import type { HistoryStore } from '../history/store.ts';
import { retryLater } from '../model/errors.ts';
import { directConversation } from '../model/ids.ts';
import { encodeSpans } from '../model/spans.ts';
import type { Conversations } from '../redis/conversations/conversations.ts';
import { ReadBeforeLoss } from '../redis/failures.ts';
import type { Inboxes } from '../redis/inboxes/inboxes.ts';
import type { Settings } from '../redis/settings.ts';
import { readWriters } from './direct-writers.ts';
import { createQuietMessages } from './quiet-messages.ts';
import type { Refill } from './refilling.ts';

const rowsAtOnce = 500;
const readsAtOnce = 8;

/**
 * Restores data from history that Redis lost, one conversation or user at a time, on first use. Loads of the same thing
 * are a single flight. If several processes install it, the scripts let the first one win.
 */
export function createLoading(
  history: HistoryStore,
  deployment: { readonly isOpen: boolean; readonly current: { epoch: string } },
  refill: Refill,
) {
  const limit = pLimit(readsAtOnce);
  const quietIn = createQuietMessages(history);
  const conversations = new Map<string, Promise<boolean>>();
  const users = new Map<string, Promise<void>>();
  const settings = new Map<string, Promise<boolean>>();

  /**
   * Reads history and installs in one epoch. History may get more up to the beginning of the next one, and what was
   * read before that would be taken for all there is.
   */
  async function inOneEpoch<T>(load: (epoch: string) => Promise<T>): Promise<T> {
    for (;;) {
      const { epoch } = deployment.current;
      try {
        return await load(epoch);
      } catch (thrown) {
        if (!(thrown instanceof ReadBeforeLoss)) throw thrown;
        // This process has not heard of the loss yet.
        if (deployment.current.epoch === epoch) throw retryLater('storage is being opened', thrown);
      }
    }
  }

  const joined = <T>(under: Map<string, Promise<T>>, id: string, load: (epoch: string) => Promise<T>): Promise<T> => {
    let found = under.get(id);
    if (found === undefined) {
      found = inOneEpoch(load).finally(() => under.delete(id));
      under.set(id, found);
    }
    return found;
  };

  return {
    /**
     * Loads a conversation. `two` are the comma-joined users of a direct one, which may be created if history does not
     * know it. Resolves false if there is nothing to install. Rejects if history does not answer, or with
     * `retry_later`.
     */
    conversation: (into: Pick<Conversations, 'install' | 'wrote'>, id: string, two = ''): Promise<boolean> =>
      joined(conversations, id, async (epoch) => {
        // The mark is passed only after history was read once more: the first read may be older than the mark. Each
        // further turn needs another process that loads and unloads the conversation in between.
        for (let mark = ''; ;) {
          const stored = await history.conversation(id);
          if (stored === null && (two === '' || directConversation(...(two.split(',') as [string, string])) !== id))
            return false;
          const members =
            stored?.members.map(({ user, spans, version }) => ({ user, spans: encodeSpans(spans), version })) ?? [];
          const content = stored && { ...stored, members };
          // Installing appends to the stream. Before Redis was compared with history, that would hide losses.
          if (!deployment.isOpen) throw retryLater('storage is being opened');
          if (stored !== null) await refill(id);
          const wrote = stored?.info.users ? await readWriters(history, into.wrote, id, stored.info.users) : '';
          const quiet = stored === null ? [] : await quietIn({ conversation: id, ...stored });
          const found = await into.install(
            epoch,
            content && { ...content, quiet },
            id,
            stored === null ? two : '',
            mark,
            wrote,
          );
          if (found === null) return true;
          mark = found;
        }
      }),

    /** Installs what a user has set, as far as history knows. Resolves true: a user without settings is known too. */
    settings: (into: Pick<Settings, 'install'>, user: string): Promise<boolean> =>
      joined(settings, user, async (epoch) => {
        await into.install(epoch, user, await history.settings(user));
        return true;
      }),

    /** Installs the conversations that history knows for a user. */
    user: (into: Pick<Inboxes, 'install'>, user: string): Promise<void> =>
      joined(users, user, async (epoch) => {
        let after = '';
        for (;;) {
          const rows = await history.conversationsOf(user, after, rowsAtOnce);
          const done = rows.length < rowsAtOnce;
          const installed = await Promise.all(
            rows.map(async ({ member: { conversation, spans }, lastSeq, amendSeq, skips }) => {
              const quiet = await limit(() => quietIn({ conversation, lastSeq, amendSeq }));
              return { conversation, spans, lastSeq, amendSeq, quiet: [...skips, ...quiet] };
            }),
          );
          await into.install(epoch, user, installed, done);
          if (done) return;
          after = rows.at(-1)!.member.conversation;
        }
      }),
  };
}
