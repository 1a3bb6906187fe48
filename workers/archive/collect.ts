import type { ArchiveWrite, HistoryStore, MemberRow } from '../../shared/history/store.ts';
import {
  amendmentOf,
  type CreatedEntry,
  type Entry,
  type FoundedEntry,
  type RenamedEntry,
} from '../../shared/model/entry.ts';
import { Refusal } from '../../shared/model/errors.ts';
import { messageText } from '../../shared/model/message-text.ts';
import type { ConversationInfo } from '../../shared/model/model.ts';
import { decodeSpans } from '../../shared/model/spans.ts';
import type { Conversations } from '../../shared/redis/conversations/conversations.ts';
import { type Bury, subjectOf } from '../dead-letter-writer.ts';
import { emptyWrite, type Part } from './chain.ts';

/** Members of a very large group in one call of the store. */
const foundersInWrite = 5000;

const createdInfo = (entry: CreatedEntry | FoundedEntry, users: CreatedEntry['users']): ConversationInfo => ({
  id: entry.conversation,
  kind: users ? 'direct' : 'group',
  name: entry.name,
  createdAt: entry.createdAt,
  service: entry.service,
  users,
  historyDays: null,
  ...(entry.creator === undefined ? {} : { creator: entry.creator }),
  version: entry.version,
});

const createdMembers = (
  { conversation, version, joined }: CreatedEntry | FoundedEntry,
  users: Iterable<string>,
): MemberRow[] => [...new Set(users)].map((user) => ({ conversation, user, spans: [{ joined, left: null }], version }));

/** Sorts the entries of a batch into rows of conversations and members, and messages and skips of each conversation. */
export function createCollecting(parts: {
  history: Pick<HistoryStore, 'write'>;
  read: Conversations['read'];
  founders: Conversations['founders'];
  bury: Bury;
}) {
  const { history, bury } = parts;

  /** Writes the members before the conversation, so that whoever reads the conversation has all of them. */
  async function founded(partition: number, entry: FoundedEntry, write: ArchiveWrite): Promise<void> {
    const { conversation, streamId } = entry;
    let users: string[] = [];
    let found = 0;
    const writeUsers = async (): Promise<void> => {
      const { epoch, progress } = write;
      await history.write({ ...emptyWrite, epoch, progress, members: createdMembers(entry, users) });
      found += users.length;
      users = [];
    };
    for await (const part of parts.founders(entry)) {
      users.push(...part);
      if (users.length >= foundersInWrite) await writeUsers();
    }
    if (users.length > 0) await writeUsers();
    if (found > 0) write.conversations.push(createdInfo(entry, null));
    else
      await bury({
        reason: 'no_conversation',
        partition,
        group: 'history',
        streamId,
        error: 'its members are nowhere',
        content: conversation,
        subject: { conversation },
      });
  }

  /** Takes the current conversation, which may be newer than the entry: rows only move forward. */
  async function renamed(
    partition: number,
    { conversation, streamId }: RenamedEntry,
    write: ArchiveWrite,
  ): Promise<void> {
    try {
      write.conversations.push((await parts.read(conversation)).info);
    } catch (thrown) {
      if (!(thrown instanceof Refusal) || thrown.code !== 'not_found') throw thrown;
      await bury({
        reason: 'no_conversation',
        partition,
        group: 'history',
        streamId,
        error: 'its conversation is nowhere',
        content: conversation,
        subject: { conversation },
      });
    }
  }

  /** Adds rows to `write`; resolves the messages and skips by conversation. */
  return async function collect(partition: number, entries: Entry[], write: ArchiveWrite): Promise<Map<string, Part>> {
    const byConversation = new Map<string, Part>();
    const partOf = (conversation: string): Part => {
      let found = byConversation.get(conversation);
      if (found === undefined) byConversation.set(conversation, (found = { messages: [], skips: [] }));
      return found;
    };
    for (const entry of entries) {
      switch (entry.type) {
        case 'message': {
          const { conversation, seq, streamId, at, change } = entry;
          partOf(conversation).messages.push({ seq, streamId, at, text: messageText(partition, entry) });
          if (change)
            write.members.push({
              conversation,
              user: change.user,
              spans: decodeSpans(change.spans),
              version: entry.version,
            });
          break;
        }
        case 'amended': {
          const { conversation, seq, streamId, at } = entry;
          partOf(conversation).messages.push({ seq, streamId, at, text: messageText(partition, entry) });
          write.amendments.push(amendmentOf(entry));
          break;
        }
        case 'created':
          write.conversations.push(createdInfo(entry, entry.users));
          write.members.push(...createdMembers(entry, entry.users ?? entry.members));
          break;
        case 'founded':
          await founded(partition, entry, write);
          break;
        case 'renamed':
          await renamed(partition, entry, write);
          break;
        case 'skipped':
          partOf(entry.conversation).skips.push(entry);
          break;
        case 'settings': {
          const { user, key, value, version } = entry;
          (write.settings ??= []).push({ user, key, value, version });
          break;
        }
        case 'unknown':
          await bury({
            reason: 'unknown_format',
            partition,
            group: 'history',
            streamId: entry.streamId,
            error: 'unknown entry format',
            content: JSON.stringify(entry.fields),
            subject: subjectOf(entry),
          });
          break;
      }
    }
    return byConversation;
  };
}
