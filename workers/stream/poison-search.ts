import type { Redis } from 'ioredis';
import type { Keys } from '../../shared/redis/keys.ts';

/** A batch that fails so often is halved; an entry that stands alone and fails so often is poison. */
const failuresOfBatch = 2;
const failuresAlone = 5;

/**
 * Finds the entry that makes a batch fail. Batches of unsettled entries are handled under a mark in Redis, so that also
 * a process that dies of an entry counts as a failure of it: the next owner finds the mark open. After failures the
 * batch is halved until the entry stands alone; what succeeds lets it grow again. Two owners at once only count too
 * much or too little.
 */
export function createTrial(redis: Redis, keys: Keys, group: string, partition: number, most: number) {
  const name = keys.trial(partition, group);
  let size = most;
  let failures = 0;

  return {
    /**
     * How many entries to handle now, beginning with this one; 0 when it stands alone and has failed too often: it is
     * poison.
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

    /** The batch was handled, or its entry was buried. */
    async succeeded(): Promise<void> {
      size = Math.min(most, size * 2);
      failures = 0;
      await redis.del(name);
    },

    /**
     * The batch failed. `counts` when it is the batch's own fault, as far as one can see. Resolves how often by now.
     */
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
