import type { Redis } from 'ioredis';
import { calmly, type Surge, type SurgeMode, surgeModes, type SurgeState } from '../../model/surge.ts';
import { orRetryLater } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { readTime } from '../redis-time.ts';

/** The surge state of a partition, its time of decision (ms since 1970, by Redis), and the figures that led to it. */
export type PartitionSurge = Surge & {
  partition: number;
  decidedAt: number;
  appended: number;
  rate: number;
  lag: number;
  storeMs: number;
};

/** A decision older than this does not count (ms): no job decides any more, and the archive works as in calm. */
const validMs = 15_000;

const number = (text: string | undefined): number => Number(text ?? 0);

const current = ({ state, decidedAt, at }: PartitionSurge & { at: number }): SurgeState =>
  Math.abs(at - decidedAt) < validMs ? state : 'calm';

/** The surge state of every partition. The compaction job decides it. The archive reads it, and reports store times. */
export function createSurges(redis: Redis, keys: Keys) {
  /** `at`: the time by Redis (ms). */
  async function read(partition: number): Promise<PartitionSurge & { at: number }> {
    const [time, fields] = (await redis.pipeline().time().hgetall(keys.surge(partition)).exec())!.map(
      ([error, value]) => {
        if (error) throw error;
        return value;
      },
    );
    const found = fields as Record<string, string>;
    return {
      at: readTime(time),
      ...calmly(number(found['since'])),
      ...(found['state'] === undefined ? {} : { state: found['state'] as SurgeState }),
      turned: number(found['turned']),
      usualRate: number(found['usualRate']),
      reason: found['reason'] ?? '',
      partition,
      decidedAt: number(found['decidedAt']),
      appended: number(found['appended']),
      rate: number(found['rate']),
      lag: number(found['lag']),
      storeMs: number(found['storeMs']),
    };
  }

  const surges = {
    all: async (): Promise<PartitionSurge[]> => (await surges.read()).map(({ at: _, ...known }) => known),

    /** The same, each with the time by Redis (ms) at which it was read. */
    read: (): Promise<(PartitionSurge & { at: number })[]> =>
      orRetryLater(Promise.all(Array.from({ length: keys.partitions }, (_, partition) => read(partition)))),

    /** The current state of a partition. */
    state: async (partition: number): Promise<SurgeState> => current(await read(partition)),

    /** The current state of every partition. */
    states: async (): Promise<SurgeState[]> => (await surges.read()).map(current),

    async decide({ partition, storeMs: _, ...decision }: PartitionSurge): Promise<void> {
      await redis.hset(keys.surge(partition), decision);
    },

    /** Notes how long a call of the store takes (ms), for the archive that owns the partition. */
    async noteStore(partition: number, ms: number): Promise<void> {
      await redis.hset(keys.surge(partition), 'storeMs', Math.round(ms));
    },

    async mode(): Promise<SurgeMode> {
      const found = await orRetryLater(redis.get(keys.surgeMode));
      return surgeModes.find((mode) => mode === found) ?? 'auto';
    },

    async setMode(mode: SurgeMode): Promise<void> {
      await orRetryLater(redis.set(keys.surgeMode, mode));
    },
  };
  return surges;
}

export type Surges = ReturnType<typeof createSurges>;
