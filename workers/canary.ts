import { reason } from '../shared/log.ts';
import type { WorkerParts } from './worker.ts';

/** The canary job comes so often (ms). */
export const canaryEveryMs = 5000;
/** A queue that has done no canary job for so long does not work (ms). */
const aliveMs = 30_000;

/**
 * Proves that a queue works: a small job comes every few seconds, and whichever process does it leaves a mark that expires. Where
 * the mark is missing the process is not ready, and `schedule` is called again: a Redis that came back empty has forgotten the
 * schedules, and no error would say so.
 */
export function watchQueue({ redis, keys, readiness, lifecycle, log }: WorkerParts, queue: string, schedule: () => Promise<void>) {
  const mark = keys.canary(queue);
  let alive = true;
  const sing = async (): Promise<void> => void (await redis.set(mark, '1', 'PX', aliveMs));

  async function look(): Promise<void> {
    const found = await redis.exists(mark);
    if (found === 0) {
      if (alive) log.error({ event: 'queue_stuck', queue });
      await schedule();
    }
    alive = found === 1;
  }
  // While Redis is away the process says so itself.
  const looking = setInterval(() => void look().catch((thrown) => log.debug({ event: 'canary_failed', reason: reason(thrown) })), canaryEveryMs);
  lifecycle.opened(`canary ${queue}`, () => clearInterval(looking));
  readiness.watch(() => (alive ? null : `queue ${queue} does no jobs`));
  // A new process gives the queue its time.
  sing().catch(() => undefined);
  return { sing };
}
