import type { Redis } from 'ioredis';
import type { FoundedEntry } from '../../model/entry.ts';
import { retryLater } from '../../model/errors.ts';
import type { Span } from '../../model/model.ts';
import { decodeSpans } from '../../model/spans.ts';
import type { Keys } from '../keys.ts';
import { run } from '../scripts.ts';
import type { Asking } from './asking.ts';

/** `joinedSeq` is the seq before the first that the member sees. */
export type Member = { user: string; joinedSeq: number };

/** Current and former members, with spans that are at least of this version. */
export type Members = { version: number; spans: Map<string, Span[]> };

/** Members read or written in one step. A step blocks Redis for about a millisecond. */
export const membersInStep = 500;
/** A group of at most this many current and former members is read whole. */
export const membersWhole = 1000;
/** How long the sorted members of a large group stay after they were last read (ms). */
const listStaysMs = 600_000;
/** A list is made in steps, and begun again when a process of an older version changes the group meanwhile. */
const mostSteps = 5000;
/** Maximum readings of a group that leaves Redis while it is read. Only tests reach it. */
const mostReadings = 5;

type PartReply = [word: 'found', version: string, loading: string, cursor: string, members: string[]];

/** The members of groups, read in steps that hold Redis for a short time each, however many they are. */
export function createMembers(redis: Redis, keys: Keys, asked: Asking) {
  const slotKeys = (id: string): string[] => {
    const partition = keys.partitionOf(id);
    return [keys.partitionSlot(partition), keys.conversation(partition, id), keys.members(partition, id)];
  };

  const readPart = (id: string, cursor: string): Promise<PartReply> =>
    asked(id, () =>
      run<string[]>(redis, 'read-members', slotKeys(id), [cursor, membersInStep, membersWhole]),
    ) as Promise<unknown> as Promise<PartReply>;

  /** Null when the group left Redis and came back between two steps. */
  async function readAll(id: string): Promise<Members | null> {
    const spans = new Map<string, Span[]>();
    let [, version, loading, cursor, members] = await readPart(id, '0');
    const first = { version: Number(version), loading };
    for (;;) {
      for (let i = 0; i < members.length; i += 2) spans.set(members[i]!, decodeSpans(members[i + 1]!));
      if (cursor === '0') return { version: first.version, spans };
      [, version, loading, cursor, members] = await readPart(id, cursor);
      if (loading !== first.loading) return null;
    }
  }

  return {
    /**
     * Whom to tell that `user` types. `busy`: messages wait; `many`: the conversation has more than `most` members,
     * or has had more than can be looked through.
     * Rejects with `not_found` if the user is not a current member, or `retry_later`.
     */
    async toldOfTyping(
      id: string,
      user: string,
      { most, mostUnsettled }: { most: number; mostUnsettled: number },
    ): Promise<string[] | 'busy' | 'many'> {
      const [word, ...users] = await asked(id, () =>
        run<string[]>(redis, 'who-types', slotKeys(id), [user, most, mostUnsettled, membersWhole]),
      );
      return word === 'told' ? users : (word as 'busy' | 'many');
    },

    /** Of a group. Rejects with `not_found` or `retry_later`. */
    async members(id: string): Promise<Members> {
      for (let i = 0; i < mostReadings; i++) {
        const all = await readAll(id);
        if (all !== null) return all;
      }
      throw retryLater('the conversation is being loaded');
    },

    /**
     * Yields the founding members of a group, in parts, whatever joined or left since. Does not ask for the epoch: the
     * members are stored beside the entry of the creation, even if Redis cannot vouch for the conversation. A user may
     * appear twice.
     */
    async *founders({ conversation, joined }: Pick<FoundedEntry, 'conversation' | 'joined'>): AsyncGenerator<string[]> {
      const members = keys.members(keys.partitionOf(conversation), conversation);
      const first = `${joined}-`;
      let cursor = '0';
      do {
        const [next, part] = await redis.hscan(members, cursor, 'COUNT', membersInStep);
        cursor = next;
        yield part.filter((_, i) => i % 2 === 0 && part[i + 1]!.startsWith(first));
      } while (cursor !== '0');
    },

    /**
     * At most `most` current members in rising order of their ids, those above `after`. `user` null: as a service sees
     * it. Rejects with `not_found` if `user` is not a current member, and with `retry_later`.
     */
    async memberPage(id: string, user: string | null, after: string, most: number): Promise<Member[]> {
      const partition = keys.partitionOf(id);
      const pageKeys = [...slotKeys(id), keys.listed(partition, id)];
      for (let step = 0; step < mostSteps; step++) {
        const [word, ...words] = await asked(id, () =>
          run<string[]>(redis, 'page-members', pageKeys, [
            user ?? '',
            after,
            most,
            membersWhole,
            membersInStep,
            listStaysMs,
          ]),
        );
        if (word !== 'making')
          return currentAmong(word!, words)
            .filter((member) => member.user > after)
            .slice(0, most);
      }
      throw retryLater('the members are being read');
    },
  };
}

function currentAmong(word: string, words: string[]): Member[] {
  if (word === 'direct') return [...new Set(words)].map((user) => ({ user, joinedSeq: 0 }));
  const members: Member[] = [];
  for (let i = 0; i < words.length; i += 2) {
    const joined = word === 'page' ? words[i + 1] : /(\d+)-$/.exec(words[i + 1]!)?.[1];
    if (joined !== undefined) members.push({ user: words[i]!, joinedSeq: Number(joined) });
  }
  return word === 'page' ? members : members.sort((one, other) => (one.user < other.user ? -1 : 1));
}
