import type { Redis } from 'ioredis';
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
  groups: { inbox: GroupState; history: GroupState };
};

/** What Redis knows of every partition, in one round trip. */
export async function readPartitions(redis: Redis, keys: Keys): Promise<PartitionState[]> {
  const pipeline = redis.pipeline();
  for (let partition = 0; partition < keys.partitions; partition++) {
    pipeline
      .xlen(keys.messages(partition))
      .hmget(keys.partitionSlot(partition), 'appended', 'settled:inbox', 'settled:history')
      .get(keys.lease(partition, 'inbox'))
      .get(keys.lease(partition, 'history'));
  }
  const replies = (await pipeline.exec())!.map(([error, value]) => {
    if (error) throw error;
    return value;
  });
  return Array.from({ length: keys.partitions }, (_, partition) => {
    const [entries, counts, inbox, history] = replies.slice(4 * partition, 4 * partition + 4) as [
      number,
      (string | null)[],
      string | null,
      string | null,
    ];
    const unsettled = (settled: number): number => Math.max(0, Number(counts[0] ?? 0) - Number(counts[settled] ?? 0));
    return {
      partition,
      entries,
      appended: Number(counts[0] ?? 0),
      groups: {
        inbox: { owner: inbox, unsettled: unsettled(1) },
        history: { owner: history, unsettled: unsettled(2) },
      },
    };
  });
}
