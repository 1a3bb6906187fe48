import type { Redis } from 'ioredis';
import { isBelow } from '../model/stream-ids.ts';
import type { Keys } from '../redis/keys.ts';
import { monotonicMs } from '../timing/clocks.ts';
import { slotsOf } from './slots.ts';

/** A head of a user's inbox that this process was told, in one epoch. */
export type SeenHead = { user: string; epoch: string; head: number };
/** A head, with the generation of the deployment in which it was seen. */
type SeenNumber = { user: string; head: number; generation: number };
/** A seq of a large group's conversation that this process was told, in one epoch. */
export type SeenSeq = { conversation: string; epoch: string; seq: number };

/**
 * What this process saw of Redis, for an opening. What a Redis loses is the end of its own log. So for each partition
 * the last stream id that was seen stands for everything before it: if Redis has that one, it has all of them.
 */
export type Evidence = {
  /** Slot of a partition -> stream id. */
  partitions: Record<string, string>;
  /** Slots in which something that was seen is missing. */
  lost: string[];
  /** Whether this process may have sent messages the short way (docs/design/short-way.md). */
  short?: boolean;
};

/** A report in Redis: what a process saw, for one opening of one run of Redis. */
export type StoredReport = Evidence & { opening: number; run: string };

/**
 * Heads of connections that have ended, and of inboxes that were read without one, are kept this long (ms) and for this
 * many users. A Redis that fails loses its last moments, not more.
 */
const endedForMs = 60_000;
const mostEnded = 10_000;
/** Epochs whose generation is remembered. A head of an older one counts as of the present. */
const mostEpochs = 100;
/** Commands in one round trip. */
const atOnce = 1000;

/**
 * Keeps what this process sees. That is one assignment for a batch, and for a fanout one for each run. Heads of
 * connections are not kept here: those who know them anyway are asked when an opening needs them.
 *
 * A loss ends some lines, not all (open-deployment.lua). What was seen of the others must still be there after the next
 * opening, so nothing is forgotten with an epoch. Stream ids only rise, over losses too. A head or a seq counts unless
 * its slot has begun another line since: then its keys begin again, above it, when they are first used.
 */
export function createEvidence(keys: Keys) {
  let generation = 0;
  const generations = new Map<string, number>();
  const last: string[] = [];
  /** Per shard, the head that the last append answered. Appends of one process to a shard come in order. */
  const appended = new Map<number, SeenNumber>();
  /** In the order of time. */
  const ended = new Map<string, SeenNumber & { at: number }>();
  /** When the last one ended that found no room. */
  let unkept = { at: -Infinity, generation: 0 };
  let short = false;
  const heads: (() => Iterable<SeenHead>)[] = [];
  const seqs: (() => Iterable<SeenSeq>)[] = [];

  const generationOf = (epoch: string): number => generations.get(epoch) ?? generation;

  /** All heads that were seen since the shards' lines began; of several for a user the highest. */
  function highest(began: readonly number[]): Map<string, number> {
    const found = new Map<string, number>();
    function note({ user, head, generation: seenIn }: SeenNumber): void {
      if (seenIn >= began[keys.shardOf(user)]!) found.set(user, Math.max(head, found.get(user) ?? 0));
    }
    for (const seen of appended.values()) note(seen);
    for (const seen of ended.values()) note(seen);
    for (const all of heads)
      for (const { user, head, epoch } of all()) note({ user, head, generation: generationOf(epoch) });
    return found;
  }

  /** The generation in which the line of each slot began. */
  async function readGenerations(redis: Redis, slots: readonly string[]): Promise<number[]> {
    const found: number[] = [];
    for (let start = 0; start < slots.length; start += atOnce) {
      const pipeline = redis.pipeline();
      for (const slot of slots.slice(start, start + atOnce)) pipeline.hget(slot, 'generation');
      for (const [error, value] of (await pipeline.exec())!) {
        if (error) throw error;
        found.push(Number(value ?? 0));
      }
    }
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
      appended.set(keys.shardOf(user), { user, head, generation });
    },

    /** A connection that knew this head has ended, or the inbox was read without one. */
    ended({ user, epoch, head }: SeenHead): void {
      const now = monotonicMs();
      const seenIn = generationOf(epoch);
      const before = ended.get(user);
      // Of two generations the later one: the shard may have begun a line in between.
      const isLater = before === undefined || seenIn > before.generation;
      const kept = isLater || (seenIn === before.generation && head > before.head);
      ended.delete(user);
      ended.set(user, { ...(kept ? { user, head, generation: seenIn } : before), at: now });
      for (const [oldest, { at, generation: keptIn }] of ended) {
        const isOld = now - at > endedForMs;
        if (!isOld && ended.size <= mostEnded) break;
        ended.delete(oldest);
        if (!isOld) unkept = { at, generation: keptIn };
      }
    },

    /** From now on this process may send messages the short way. Call it before the first one. */
    sendsShort: (): void => void (short = true),

    /** Who knows heads, or seqs of large groups, is asked at an opening. */
    askHeads: (all: () => Iterable<SeenHead>): void => void heads.push(all),
    askSeqs: (all: () => Iterable<SeenSeq>): void => void seqs.push(all),

    /** From now on this epoch, of this generation, is the present one. */
    enter(epoch: string, of: number): void {
      generation = of;
      generations.set(epoch, of);
      for (const oldest of generations.keys()) {
        if (generations.size <= mostEpochs) break;
        generations.delete(oldest);
      }
    },

    /** Compares heads and seqs with this Redis, and collects the rest. */
    async collect(redis: Redis): Promise<Evidence> {
      const lost = new Set<string>();
      const partitions: Record<string, string> = {};
      last.forEach((streamId, partition) => (partitions[`p${partition}`] = streamId));
      const shardOf = (user: string): string => `i${keys.shardOf(user)}`;
      const generationsOfSlots = await readGenerations(redis, slotsOf(keys).keys);
      const ofPartitions = generationsOfSlots.slice(0, keys.partitions);
      const ofShards = generationsOfSlots.slice(keys.partitions);
      const seenHeads = [...highest(ofShards)].map(([user, head]): [string, string, string, number] => [
        keys.user(user),
        'head',
        shardOf(user),
        head,
      ]);
      for await (const slot of below(redis, seenHeads)) lost.add(slot);
      const seenSeqs = seqs.flatMap((all) =>
        [...all()]
          .filter(({ conversation, epoch }) => generationOf(epoch) >= ofPartitions[keys.partitionOf(conversation)]!)
          .map(({ conversation, seq }): [string, string, string, number] => {
            const partition = keys.partitionOf(conversation);
            return [keys.conversation(partition, conversation), 'seq', `p${partition}`, seq];
          }),
      );
      for await (const slot of below(redis, seenSeqs)) lost.add(slot);
      if (monotonicMs() - unkept.at <= endedForMs)
        ofShards.forEach((began, shard) => {
          if (unkept.generation >= began) lost.add(`i${shard}`);
        });
      return { partitions, lost: [...lost], short };
    },
  };
}

export type EvidenceOfProcess = ReturnType<typeof createEvidence>;
