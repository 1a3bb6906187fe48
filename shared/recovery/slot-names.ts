import type { Keys } from '../redis/keys.ts';

/** The names of slots in history and in reports: `p3` is a partition, `i17` a shard of inboxes. */
export function slotNames({ partitions, inboxShards }: Pick<Keys, 'partitions' | 'inboxShards'>) {
  const ofPartitions = Array.from({ length: partitions }, (_, number) => `p${number}`);
  const ofShards = Array.from({ length: inboxShards }, (_, number) => `i${number}`);
  return { partitions: ofPartitions, all: [...ofPartitions, ...ofShards] };
}
