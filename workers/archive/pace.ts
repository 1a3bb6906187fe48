import { isPacking } from '../../shared/model/surge.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Surges } from '../../shared/redis/streams/surges.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { BatchLimits } from '../stream/handler.ts';

/**
 * What comes after a rest is written at once, and then the next read waits a little: as long as messages keep coming, a
 * batch of several costs little more than one. Readers get the waiting messages from Redis. After a full batch it does
 * not wait: more is there, and Redis gives readers no more than some thousands.
 */
const gathering: BatchLimits = { entries: 1000, pauseFrom: 1, pauseTo: 999, pauseMs: 100 };
/** While somebody waits for answers of the level `stored`, only batches of 40 or more are followed by a wait. */
const hurried: BatchLimits = { entries: 1000, pauseFrom: 40, pauseTo: 999, pauseMs: 50 };
/** Whoever has waited lately will do so again. */
const hurriedForMs = 10_000;
/**
 * The next read waits two seconds, so that a batch is worth its call; after more than 1000 entries it does not wait.
 * Readers get the waiting messages from Redis.
 */
const packing: BatchLimits = { entries: 2000, pauseFrom: 1, pauseTo: 1000, pauseMs: 2000 };
const lookEveryMs = 1000;
const smoothing = 0.2;

/**
 * Whether the archive packs a partition, by the surge state that the compaction job decides; without a state it does
 * not. It reads the state once a second, and reports how long the store takes.
 */
export function createPace(
  surges: Pick<Surges, 'state' | 'noteStore'>,
  owned: () => number[],
  log: Logger,
  faults: Pick<Faults, 'contained'>,
  now = monotonicMs,
) {
  const packs = new Set<number>();
  const storeMs = new Map<number, number>();
  const hurriedUntil = new Map<number, number>();

  async function look(partition: number): Promise<void> {
    if (isPacking(await surges.state(partition))) packs.add(partition);
    else packs.delete(partition);
    const ms = storeMs.get(partition);
    if (ms !== undefined) await surges.noteStore(partition, ms);
  }
  const looking = setInterval(
    faults.contained('timer', () => {
      for (const partition of owned())
        look(partition).catch((thrown: unknown) => log.debug({ event: 'pace_failed', reason: reason(thrown) }));
    }),
    lookEveryMs,
  );

  return {
    limits(partition: number): BatchLimits {
      if (packs.has(partition)) return packing;
      return now() < (hurriedUntil.get(partition) ?? 0) ? hurried : gathering;
    },
    /** Somebody waits until messages of this partition are stored. */
    awaited: (partition: number): void => void hurriedUntil.set(partition, now() + hurriedForMs),
    packs: (partition: number): boolean => packs.has(partition),
    stored(partition: number, ms: number): void {
      const known = storeMs.get(partition) ?? ms;
      storeMs.set(partition, known + smoothing * (ms - known));
    },
    stop: (): void => clearInterval(looking),
  };
}

export type Pace = ReturnType<typeof createPace>;
