import type { Redis } from 'ioredis';
import { type GroupName, groupNames, ofEachGroup } from '../../model/groups.ts';
import type { Keys } from '../keys.ts';

/**
 * How one group stands in one partition: the process that owns it (null: none), and how many entries it has not
 * settled.
 */
export type GroupState = { owner: string | null; unsettled: number };

/** `appended`: how many entries there ever were. */
export type PartitionState = {
  partition: number;
  entries: number;
  appended: number;
  groups: Record<GroupName, GroupState>;
};

const settledFields = groupNames.map((group) => `settled:${group}`);
/** Replies of a partition: its length, its counters, and the owner of each group. */
const repliesEach = 2 + groupNames.length;

/** What Redis knows of every partition, in one round trip. */
export async function readPartitions(redis: Redis, keys: Keys): Promise<PartitionState[]> {
  const pipeline = redis.pipeline();
  for (let partition = 0; partition < keys.partitions; partition++) {
    pipeline.xlen(keys.messages(partition)).hmget(keys.partitionSlot(partition), 'appended', ...settledFields);
    for (const group of groupNames) pipeline.get(keys.lease(partition, group));
  }
  const replies = (await pipeline.exec())!.map(([error, value]) => {
    if (error) throw error;
    return value;
  });
  return Array.from({ length: keys.partitions }, (_, partition) => {
    const [entries, counts, ...owners] = replies.slice(repliesEach * partition, repliesEach * (partition + 1)) as [
      number,
      (string | null)[],
      ...(string | null)[],
    ];
    const [appended, ...settled] = counts.map((count) => Number(count ?? 0)) as [number, ...number[]];
    return {
      partition,
      entries,
      appended,
      groups: ofEachGroup((_group, i) => ({ owner: owners[i]!, unsettled: Math.max(0, appended - settled[i]!) })),
    };
  });
}
