import { reason } from '../../shared/process/log.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { WorkerParts } from '../worker.ts';
import type { Schedules } from './schedules.ts';

/** The canary job comes so often (ms). */
export const canaryEveryMs = 5000;
/** A queue that has done no canary job for so long does not work (ms). */
const aliveMs = 30_000;

/**
 * Proves that a queue works: a small job comes every few seconds, and whichever process does it counts up a mark. A
 * process that has not seen it change for too long, by its own monotonic clock, is not ready, and makes the schedules
 * anew. With every look they are mended as well: a Redis that came back empty has forgotten them, a clock that jumped
 * has put them off, and no error would say so.
 */
export function watchQueue(
  { redis, keys, readiness, lifecycle, log }: WorkerParts,
  queue: string,
  schedules: Pick<Schedules, 'mend' | 'remake'>,
) {
  const mark = keys.canary(queue);
  let seen: string | null = null;
  // A new process gives the queue its time.
  let changedAt = monotonicMs();
  let alive = true;
  const sing = async (): Promise<void> => void (await redis.incr(mark));

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
  // While Redis is away the process says so itself.
  const looking = setInterval(
    () => void look().catch((thrown) => log.debug({ event: 'canary_failed', reason: reason(thrown) })),
    canaryEveryMs,
  );
  lifecycle.opened(`canary ${queue}`, () => clearInterval(looking));
  readiness.watch(() => (alive ? null : `queue ${queue} does no jobs`));
  return { sing };
}
