import pLimit from 'p-limit';
import type { HistoryStore } from '../history/store.ts';
import { retryLater } from '../model/errors.ts';
import { directConversation } from '../model/ids.ts';
import { encodeSpans } from '../model/spans.ts';
import type { Wrote } from '../model/wrote.ts';
import type { Conversations } from '../redis/conversations/conversations.ts';
import type { InstallForm } from '../redis/conversations/install-form.ts';
import { ReadBeforeLoss } from '../redis/failures.ts';
import type { Inboxes } from '../redis/inboxes/inboxes.ts';
import type { Settings } from '../redis/settings.ts';
import { readWriters } from './direct-writers.ts';
import { createQuietMessages } from './quiet-messages.ts';
import type { Refill } from './refilling.ts';

const rowsAtOnce = 500;
const readsAtOnce = 8;

const unknownToHistory = (conversation: string) => ({ conversation, spans: [], lastSeq: 0, amendSeq: 0, quiet: [] });

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
     * Loads a conversation, from what came back with Redis if history does not know it yet. `two` are the comma-joined
     * users of a direct one, which may be created if neither knows it. Resolves false if there is nothing to install.
     * Rejects if history does not answer, or with `retry_later`.
     */
    conversation: (
      into: Pick<Conversations, 'install' | 'wrote' | 'cameBack'>,
      id: string,
      two = '',
    ): Promise<boolean> =>
      joined(conversations, id, async (epoch) => {
        const mayBeNew = two !== '' && directConversation(...(two.split(',') as [string, string])) === id;
        // The mark is passed only after history was read once more: the first read may be older than the mark. Each
        // further turn needs another process that loads and unloads the conversation in between.
        for (let mark = ''; ;) {
          const stored = await history.conversation(id);
          let content: InstallForm | null = null;
          let wrote: Wrote = '';
          if (stored !== null) {
            const members = stored.members.map((member) => ({ ...member, spans: encodeSpans(member.spans) }));
            content = { ...stored, members, quiet: await quietIn({ conversation: id, ...stored }) };
            if (stored.info.users) wrote = await readWriters(history, into.wrote, id, stored.info.users);
          } else if (!mayBeNew) {
            content = await into.cameBack(id);
            if (content === null) return false;
          }
          // Installing appends to the stream. Before Redis was compared with history, that would hide losses.
          if (!deployment.isOpen) throw retryLater('storage is being opened');
          if (stored !== null) await refill(id);
          const found = await into.install(epoch, content, id, content === null ? two : '', mark, wrote);
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

    /**
     * Installs the conversations that history knows for a user, and what was amended in these and in all others that
     * the user's inbox knows. Redis is asked for that too: an amendment may not be archived yet.
     */
    user: (
      into: Pick<Inboxes, 'install' | 'held'>,
      { amendSeqs }: Pick<Conversations, 'amendSeqs'>,
      user: string,
    ): Promise<void> =>
      joined(users, user, async (epoch) => {
        const unlisted = new Set(await into.held(user));
        let after = '';
        for (;;) {
          const rows = await history.conversationsOf(user, after, rowsAtOnce);
          const done = rows.length < rowsAtOnce;
          for (const { member } of rows) unlisted.delete(member.conversation);
          const listed = await Promise.all(
            rows.map(async ({ member: { conversation, spans }, lastSeq, amendSeq, skips }) => {
              const quiet = await limit(() => quietIn({ conversation, lastSeq, amendSeq }));
              return { conversation, spans, lastSeq, amendSeq, quiet: [...skips, ...quiet] };
            }),
          );
          if (done) listed.push(...[...unlisted].map(unknownToHistory));
          const live = await amendSeqs(listed.map(({ conversation }) => conversation));
          const rowsNow = listed.map((row, i) => ({ ...row, amendSeq: Math.max(row.amendSeq, live[i]!) }));
          await into.install(epoch, user, rowsNow, done);
          if (done) return;
          after = rows.at(-1)!.member.conversation;
        }
      }),
  };
}
