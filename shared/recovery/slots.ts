import type { Keys } from '../redis/keys.ts';

/**
 * Every slot of a deployment: first the partitions, then the shards of inboxes. History and reports name them `p3` and
 * `i17`.
 */
export function slotsOf(keys: Keys) {
  const partitions = Array.from({ length: keys.partitions }, (_, number) => number);
  const shards = Array.from({ length: keys.inboxShards }, (_, number) => number);
  const ofPartitions = partitions.map((number) => `p${number}`);
  return {
    partitions: ofPartitions,
    names: [...ofPartitions, ...shards.map((number) => `i${number}`)],
    /** Their keys, in the same order. */
    keys: [...partitions.map(keys.partitionSlot), ...shards.map(keys.shardSlot)],
    /** The same, with each partition's stream behind its slot, as scripts take them that judge or open Redis. */
    keysAndStreams: [
      ...partitions.flatMap((number) => [keys.partitionSlot(number), keys.messages(number)]),
      ...shards.map(keys.shardSlot),
    ],
  };
}
