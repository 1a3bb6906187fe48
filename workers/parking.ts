import type { Redis } from 'ioredis';
import type { Logger } from '../shared/log.ts';
import type { Keys } from '../shared/redis/keys.ts';

/**
 * Puts aside what cannot be processed, with the reason, so that it is neither lost nor in the way: a stream for each partition
 * that nothing trims. Resolves when it is written; only then may the entry be settled.
 */
export const createParking =
  (redis: Redis, keys: Keys, log: Logger) =>
  async (partition: number, group: string, streamId: string, why: string, content: string): Promise<void> => {
    log.error({ event: 'entry_parked', group, partition, streamId, reason: why });
    await redis.xadd(keys.parked(partition), '*', 'group', group, 'entry', streamId, 'reason', why, 'content', content);
  };

export type Park = ReturnType<typeof createParking>;
