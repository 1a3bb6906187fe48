import type { Redis } from 'ioredis';
import type { GroupName } from '../model/groups.ts';
import type { SurgeState } from '../model/surge.ts';
import { orRetryLater } from './failures.ts';
import type { Keys } from './keys.ts';
import type { Totals } from './process-totals.ts';
import { redisMs } from './redis-time.ts';

/**
 * How the whole deployment stood at a moment. `at`: ms since 1970, by Redis. Rates and latencies are those of the ten
 * seconds before it. `lag` (entries that a group has not settled) and `surge` are by partition.
 */
export type Sample = Totals & {
  at: number;
  redisBytes: number;
  lag: Record<GroupName, number[]>;
  surge: SurgeState[];
};

export const sampleEveryMs = 10_000;
const keptMs = 3_600_000;
const places = keptMs / sampleEveryMs;

/**
 * The samples of the last hour. The hour is a ring of places of ten seconds each, so the hash never has more fields
 * than places, whoever writes and however clocks jump. Two writers of one place write about the same.
 */
export function createSamples(redis: Redis, keys: Keys) {
  const read = (text: string): Sample => JSON.parse(text) as Sample;

  return {
    /** Whether somebody has sampled in the ten seconds of this moment (ms). */
    async has(at: number): Promise<boolean> {
      const found = await redis.hget(keys.samples, placeOf(at));
      return found !== null && turnOf(read(found).at) === turnOf(at);
    },

    async note(sample: Sample): Promise<void> {
      await redis.hset(keys.samples, placeOf(sample.at), JSON.stringify(sample));
      await redis.pexpire(keys.samples, 2 * keptMs);
    },

    /** Resolves the samples of the last hour that are newer than a moment (ms), the oldest first. */
    async list(after = 0): Promise<{ now: number; samples: Sample[] }> {
      const [texts, now] = await orRetryLater(Promise.all([redis.hvals(keys.samples), redisMs(redis)]));
      const samples = texts
        .map(read)
        .filter(({ at }) => at > after && at > now - keptMs && at <= now)
        .sort((one, other) => one.at - other.at);
      return { now, samples };
    },
  };
}

const turnOf = (at: number): number => Math.floor(at / sampleEveryMs);
const placeOf = (at: number): string => String(turnOf(at) % places);

export type Samples = ReturnType<typeof createSamples>;
