import type { Redis } from 'ioredis';
import { groupNames } from '../../shared/model/groups.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { adoptPending } from '../../shared/redis/streams/foreign-consumers.ts';

/** Takes back entries that foreign consumers have read from the groups, and removes idle foreign consumers. */
export const createAdopting = (redis: Redis, keys: Keys, log: Logger) => async (): Promise<void> => {
  for (let partition = 0; partition < keys.partitions; partition++) {
    for (const group of groupNames) {
      const [adopted, removed] = await adoptPending(redis, keys, partition, group);
      if (adopted + removed > 0) log.warn({ event: 'strangers_in_group', partition, group, adopted, removed });
    }
  }
};
