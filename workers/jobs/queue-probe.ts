import { reason } from '../../shared/process/log.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { WorkerParts } from '../worker.ts';
import type { Schedules } from './schedules.ts';

/** Interval of the probe job (ms). */
export const probeEveryMs = 5000;
/** A queue without a finished probe job for this long does not work (ms). */
const aliveMs = 30_000;

/**
 * Proves that a queue works. A small job, the canary, comes every few seconds, and the process that runs it increments
 * a mark. A process that has not seen the mark change for too long, by its monotonic clock, is not ready, and makes the
 * schedules again.
 *
 * Every look also mends the schedules: a Redis that came back empty has forgotten them, and a clock that jumped has
 * delayed them. Neither shows as an error.
 */
export function watchQueue(
  { redis, keys, readiness, lifecycle, log }: WorkerParts,
  queue: string,
  schedules: Pick<Schedules, 'mend' | 'remake'>,
) {
  const mark = keys.canary(queue);
  let seen: string | null = null;
  // A new process gives the queue time to begin.
  let changedAt = monotonicMs();
  let alive = true;
  const countUp = async (): Promise<void> => void (await redis.incr(mark));

  async function look(): Promise<void> {
    const found = await redis.get(mark);
    if (found !== seen) changedAt = monotonicMs();
    seen = found;
    const wasAlive = alive;
    alive = monotonicMs() - changedAt < aliveMs;
    if (alive) {
      const mended = await schedules.mend();
      if (mended > 0) log.warn({ event: 'schedules_mended', queue, schedules: mended });
      return;
    }
    if (wasAlive) log.error({ event: 'queue_stuck', queue });
    await schedules.remake();
  }
  // While Redis is away the readiness of the process says so; a failed look adds nothing.
  const looking = setInterval(
    () => void look().catch((thrown) => log.debug({ event: 'canary_failed', reason: reason(thrown) })),
    probeEveryMs,
  );
  lifecycle.opened(`canary ${queue}`, () => clearInterval(looking));
  readiness.watch(() => (alive ? null : `queue ${queue} does no jobs`));
  return { countUp };
}
