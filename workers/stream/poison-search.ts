import type { Redis } from 'ioredis';
import type { GroupName } from '../../shared/model/groups.ts';
import type { Keys } from '../../shared/redis/keys.ts';

/** After this many failures a batch is halved. */
const failuresOfBatch = 2;
/** After this many failures an entry that stands alone is poison. */
const failuresAlone = 5;

/**
 * Finds the entry that makes a batch fail. A mark in Redis is open while a batch is handled. So a process that dies of
 * an entry counts as a failure of it too: the next owner finds the mark open. After failures the batch is halved until
 * one entry stands alone; success lets it grow again. Two owners at once only count too much or too little.
 */
export function createPoisonSearch(redis: Redis, keys: Keys, group: GroupName, partition: number, most: number) {
  const name = keys.trial(partition, group);
  let size = most;
  let failures = 0;

  return {
    /**
     * Resolves how many entries to handle now, beginning with `firstId`; 0 when that entry stands alone and has failed
     * too often: it is poison.
     */
    async begin(firstId: string): Promise<number> {
      const known = await redis.hgetall(name);
      if (known.first === firstId) {
        size = Math.min(size, Number(known.size));
        failures = Math.max(failures, Number(known.failures)) + (known.open === '1' ? 1 : 0);
      } else failures = 0;
      if (size > 1 && failures >= failuresOfBatch) {
        size = Math.ceil(size / 2);
        failures = 0;
      }
      const poison = size === 1 && failures >= failuresAlone;
      await redis.hset(name, { first: firstId, size, failures, open: poison ? '0' : '1' });
      return poison ? 0 : size;
    },

    /** The batch was handled, or its entry became a dead letter. */
    async succeeded(): Promise<void> {
      size = Math.min(most, size * 2);
      failures = 0;
      await redis.del(name);
    },

    /** The batch failed; `counts` when by its own fault, as far as one can see. Resolves its failures up to now. */
    async failed(counts: boolean): Promise<number> {
      if (counts) failures += 1;
      await redis.hset(name, { failures, open: '0' });
      return failures;
    },

    /** How often the entry that stands alone has failed. */
    get failures(): number {
      return failures;
    },
  };
}
