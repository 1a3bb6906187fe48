import { isPacking } from '../../shared/model/surge.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Surges } from '../../shared/redis/streams/surges.ts';
import type { BatchLimits } from '../stream/handler.ts';

/** Entries are written at once. Only after a batch of 40 or more the next one waits a little, to become bigger. */
const calm: BatchLimits = { entries: 1000, pauseFrom: 40, pauseTo: Infinity, pauseMs: 50 };
/**
 * The next read waits two seconds, so that a batch is worth its call; after more than 1000 entries it does not wait.
 * Readers get the waiting messages from Redis.
 */
const packing: BatchLimits = { entries: 2000, pauseFrom: 1, pauseTo: 1000, pauseMs: 2000 };
const lookEveryMs = 1000;
const smoothing = 0.2;

/**
 * Whether the archive packs a partition or is calm, by the surge state that the compaction job decides. Without a state
 * it is calm. It reads the state once a second, and reports how long the store takes.
 */
export function createPace(
  surges: Pick<Surges, 'state' | 'noteStore'>,
  owned: () => number[],
  log: Logger,
  faults: Faults,
) {
  const packs = new Set<number>();
  const storeMs = new Map<number, number>();

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
    limits: (partition: number): BatchLimits => (packs.has(partition) ? packing : calm),
    packs: (partition: number): boolean => packs.has(partition),
    stored(partition: number, ms: number): void {
      const known = storeMs.get(partition) ?? ms;
      storeMs.set(partition, known + smoothing * (ms - known));
    },
    stop: (): void => clearInterval(looking),
  };
}

export type Pace = ReturnType<typeof createPace>;
