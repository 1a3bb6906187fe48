import type { Redis } from 'ioredis';
import { isBelow } from '../model/stream-ids.ts';
import type { Keys } from '../redis/keys.ts';
import { monotonicMs } from '../timing/clocks.ts';

/** A head of a user's inbox that this process was told, in one epoch. */
export type SeenHead = { user: string; epoch: string; head: number };
/** A seq of a large group's conversation that this process was told, in one epoch. */
export type SeenSeq = { conversation: string; epoch: string; seq: number };

/**
 * What this process saw of Redis, for an opening. What a Redis loses is the end of its own log. So for each partition
 * the last stream id that was seen stands for everything before it: if Redis has that one, it has all of them.
 */
export type Evidence = {
  epoch: string;
  /** Slot of a partition -> stream id. */
  partitions: Record<string, string>;
  /** Slots in which something that was seen is missing. */
  lost: string[];
};

/** A report in Redis: what a process saw, for one opening of one run of Redis. */
export type StoredReport = Evidence & { opening: number; run: string };

/**
 * Heads of connections that have ended, and of inboxes that were read without one, are kept this long (ms) and for this
 * many users. A Redis that fails loses its last moments, not more.
 */
const endedForMs = 60_000;
const mostEnded = 10_000;
/** Commands in one round trip. */
const atOnce = 1000;

/**
 * Keeps what this process sees. On the hot path that is one assignment for a batch. Heads are not kept here: those who
 * know them anyway are asked when an opening needs them.
 */
export function createEvidence(keys: Keys) {
  let epoch = '';
  let last: string[] = [];
  /** Per shard, the head that the last append answered. Appends of one process to a shard come in order. */
  let appended = new Map<number, { user: string; head: number }>();
  /** In the order of time. */
  let ended = new Map<string, SeenHead & { at: number }>();
  /** When the last one ended that found no room. */
  let unkeptAt = -Infinity;
  const heads: (() => Iterable<SeenHead>)[] = [];
  const seqs: (() => Iterable<SeenSeq>)[] = [];

  function forget(): void {
    last = [];
    appended = new Map();
    ended = new Map();
    unkeptAt = -Infinity;
  }

  /** All heads of the present epoch; of several for a user the highest. */
  function highest(): Map<string, number> {
    const found = new Map<string, number>();
    const note = (user: string, head: number): void => void found.set(user, Math.max(head, found.get(user) ?? 0));
    for (const { user, head } of appended.values()) note(user, head);
    for (const { user, head } of ended.values()) note(user, head);
    for (const all of heads) for (const seen of all()) if (seen.epoch === epoch) note(seen.user, seen.head);
    return found;
  }

  /** Yields those of `seen` whose number in Redis is lower, as slots. */
  async function* below(
    redis: Redis,
    seen: Iterable<[key: string, field: string, slot: string, least: number]>,
  ): AsyncGenerator<string> {
    const all = [...seen];
    for (let start = 0; start < all.length; start += atOnce) {
      const part = all.slice(start, start + atOnce);
      const pipeline = redis.pipeline();
      for (const [key, field] of part) pipeline.hget(key, field);
      const replies = (await pipeline.exec())!;
      for (const [i, [error, found]] of replies.entries()) {
        if (error) throw error;
        if (Number(found ?? 0) < part[i]![3]) yield part[i]![2];
      }
    }
  }

  return {
    /** An entry of this partition exists. In the order in which Redis answered, except where connections differ. */
    seen(partition: number, streamId: string): void {
      const before = last[partition];
      if (before === undefined || isBelow(before, streamId)) last[partition] = streamId;
    },

    /** The answer to an append, also to one that was there already: the inbox reaches this head. */
    appended(user: string, head: number): void {
      appended.set(keys.shardOf(user), { user, head });
    },

    /** A connection that knew this head has ended, or the inbox was read without one. */
    ended(seen: SeenHead): void {
      if (seen.epoch !== epoch) return;
      const now = monotonicMs();
      const head = Math.max(seen.head, ended.get(seen.user)?.head ?? 0);
      ended.delete(seen.user);
      ended.set(seen.user, { ...seen, head, at: now });
      for (const [user, { at }] of ended) {
        const isOld = now - at > endedForMs;
        if (!isOld && ended.size <= mostEnded) break;
        ended.delete(user);
        if (!isOld) unkeptAt = at;
      }
    },

    /** Who knows heads, or seqs of large groups, is asked at an opening. */
    askHeads: (all: () => Iterable<SeenHead>): void => void heads.push(all),
    askSeqs: (all: () => Iterable<SeenSeq>): void => void seqs.push(all),

    /** What was seen belongs to an epoch, and is forgotten with it. */
    enter(next: string): void {
      if (next === epoch) return;
      epoch = next;
      forget();
    },

    /** Compares heads and seqs with this Redis, and collects the rest. */
    async collect(redis: Redis): Promise<Evidence> {
      const lost = new Set<string>();
      const partitions: Record<string, string> = {};
      last.forEach((streamId, partition) => (partitions[`p${partition}`] = streamId));
      const shardOf = (user: string): string => `i${keys.shardOf(user)}`;
      const seenHeads = [...highest()].map(([user, head]): [string, string, string, number] => [
        keys.user(user),
        'head',
        shardOf(user),
        head,
      ]);
      for await (const slot of below(redis, seenHeads)) lost.add(slot);
      const seenSeqs = seqs.flatMap((all) =>
        [...all()]
          .filter((seen) => seen.epoch === epoch)
          .map(({ conversation, seq }): [string, string, string, number] => {
            const partition = keys.partitionOf(conversation);
            return [keys.conversation(partition, conversation), 'seq', `p${partition}`, seq];
          }),
      );
      for await (const slot of below(redis, seenSeqs)) lost.add(slot);
      if (monotonicMs() - unkeptAt <= endedForMs)
        for (let shard = 0; shard < keys.inboxShards; shard++) lost.add(`i${shard}`);
      return { epoch, partitions, lost: [...lost] };
    },
  };
}

export type EvidenceOfProcess = ReturnType<typeof createEvidence>;
