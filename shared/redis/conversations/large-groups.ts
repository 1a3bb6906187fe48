import type { Redis } from 'ioredis';
import { retryLater } from '../../model/errors.ts';
import type { SeqRange, Span } from '../../model/model.ts';
import { decodeSpans } from '../../model/spans.ts';
import { orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { lossJump } from '../loss.ts';
import { run } from '../scripts.ts';
import { decodeSkips } from './install-form.ts';

/** A large group as Redis holds it now, with the spans of the users asked for, in their order. */
export type LargeGroup = {
  /** The seq since when its messages have no inbox entries. */
  since: number;
  lastSeq: number;
  /** Rises with every change of members or name: the spans are those of this version. */
  version: number;
  /** When its last message was accepted (ms). */
  at: number;
  /** Everything that was accepted in its partition was published when this was read. */
  published: boolean;
  /** Seqs that do not count as unread: amendments and recalled messages, the newest. */
  quiet: SeqRange[];
  spans: Span[][];
};

/** A user's place in a large group after a catch-up: everything up to `seq` is in the inbox or announced there. */
export type Place = { seq: number; group: LargeGroup };

export type CaughtUp = { headBefore: number; head: number; places: Map<string, Place> };

const usersInCall = 1000;

/** The seqs of a user's own joins and leaves: those messages come by its inbox. Founding members have no join. */
const changesIn = (spans: Span[]): number[] =>
  spans.flatMap(({ joined, left }) => [...(joined > 0 ? [joined + 1] : []), ...(left === null ? [] : [left])]);

/**
 * Groups whose messages have no inbox entries, as gateways use them. `load` makes Redis know a conversation again, if
 * anybody does. Rejects with `retry_later` when Redis does not answer.
 */
export function createLargeGroups(
  redis: Redis,
  keys: Keys,
  help: { load(conversation: string): Promise<unknown>; closed(): void },
) {
  function ask(conversation: string, users: string[]): Promise<string[]> {
    const partition = keys.partitionOf(conversation);
    const slotKeys = [
      keys.partitionSlot(partition),
      keys.conversation(partition, conversation),
      keys.members(partition, conversation),
    ];
    return orRetryLater(run<string[]>(redis, 'read-large', slotKeys, users).then(unlessClosed));
  }

  function unlessClosed(reply: string[]): string[] {
    if (reply[0] !== 'closed') return reply;
    help.closed();
    throw retryLater('storage is being opened');
  }

  async function readPart(conversation: string, users: string[]): Promise<LargeGroup | null> {
    let reply = await ask(conversation, users);
    if (reply[0] === 'load') {
      await help.load(conversation);
      reply = await ask(conversation, users);
    }
    if (reply[0] !== 'large') return null;
    const [, since, lastSeq, version, at, published, quiet, ...spans] = reply;
    return {
      since: Number(since),
      lastSeq: Number(lastSeq),
      version: Number(version),
      at: Number(at),
      published: published === '1',
      quiet: decodeSkips(quiet!),
      spans: spans.map(decodeSpans),
    };
  }

  return {
    /** Null when the group is not large now. With many users the spans of all are at least of `version`. */
    async read(conversation: string, users: string[]): Promise<LargeGroup | null> {
      const first = await readPart(conversation, users.slice(0, usersInCall));
      if (first === null) return null;
      for (let i = usersInCall; i < users.length; i += usersInCall) {
        const part = await readPart(conversation, users.slice(i, i + usersInCall));
        if (part === null) return null;
        first.spans.push(...part.spans);
      }
      return first;
    },

    /** The large groups that a user is a member of. */
    async of(user: string): Promise<string[]> {
      const larges = await orRetryLater(redis.hget(keys.user(user), 'larges'));
      return (larges ?? '').split(' ').filter((word) => word !== '');
    },

    /**
     * Announces new messages of these groups in a user's inbox, as one gap per group. `places` holds the groups that
     * are large now.
     */
    async catchUp(user: string, conversations: string[]): Promise<CaughtUp> {
      const found = await Promise.all(conversations.map((conversation) => this.read(conversation, [user])));
      const places = new Map<string, Place>();
      conversations.forEach((conversation, i) => {
        if (found[i] !== null) places.set(conversation, { seq: 0, group: found[i]! });
      });
      const args = [...places].flatMap(([conversation, { group }]) => [
        conversation,
        group.since,
        group.lastSeq,
        group.spans[0]!.at(-1)?.left ?? '',
        changesIn(group.spans[0]!).join(','),
      ]);
      const userKeys = [
        keys.shardSlot(keys.shardOf(user)),
        keys.user(user),
        keys.devices(user),
        ...keys.gapsAndIndex(user),
      ];
      const reply = await orRetryLater(
        run<string[]>(redis, 'catch-up', userKeys, [lossJump, ...args]).then(unlessClosed),
      );
      [...places.values()].forEach((place, i) => (place.seq = Number(reply[3 + i])));
      return { headBefore: Number(reply[1]), head: Number(reply[2]), places };
    },
  };
}

export type LargeGroups = ReturnType<typeof createLargeGroups>;
