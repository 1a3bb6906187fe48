import type { Redis } from 'ioredis';
import { reason } from '../../process/log.ts';
import type { Fitness } from '../../process/readiness.ts';
import { monotonicMs } from '../../timing/clocks.ts';
import { isRefused } from '../failures.ts';
import type { Keys } from '../keys.ts';
import { infoField } from '../server-info.ts';

const lookEveryMs = 1000;
/** Writes may be refused for this long before the process is not ready (ms). */
const refusedForMs = 5000;
/**
 * A node that has not answered for this long is left (ms): a primary that hangs may have been replaced, and the address
 * may lead to another node by now.
 */
const silentForMs = 4000;

/**
 * Checks once a second that Redis is still a primary and takes writes: a process that only reads or listens would not
 * notice by itself. `leave` is called if it is a replica, or does not answer. `fitness` reports writes that were
 * refused for 5 s, whatever the reason.
 */
export function watchPrimary(
  redis: Redis,
  keys: Pick<Keys, 'writable'>,
  leave: (why: string, demoted?: boolean) => void,
): { fitness: Fitness; stop(): void } {
  let refused: { since: number; why: string } | null = null;
  let looking = false;
  /** When the first of the looks began that have run out of time. */
  let silentSince: number | null = null;
  redis.on('close', () => (silentSince = null));

  function noteFailure(failure: Error, began: number): void {
    // Held back, or the connection was lost: that is reported elsewhere.
    if (!failure.message.includes('timed out')) return void (silentSince = null);
    silentSince ??= began;
    if (monotonicMs() - silentSince >= silentForMs) leave('it does not answer', false);
  }

  async function look(): Promise<void> {
    const began = monotonicMs();
    const [role, write] = (await redis.pipeline().info('replication').set(keys.writable, '1', 'PX', 60_000).exec())!;
    if (role![0] !== null) return noteFailure(role![0], began);
    silentSince = null;
    if (infoField(String(role![1]), 'role') === 'slave') return leave('it has become a replica');
    if (write![0] === null) refused = null;
    else if (isRefused(write![0])) refused = { since: refused?.since ?? monotonicMs(), why: reason(write![0]) };
  }

  const timer = setInterval(() => {
    if (looking || redis.status !== 'ready') return;
    looking = true;
    // A lost connection is reported elsewhere.
    look()
      .catch(() => undefined)
      .finally(() => (looking = false));
  }, lookEveryMs);

  return {
    fitness: () =>
      refused !== null && monotonicMs() - refused.since > refusedForMs ? `Redis refuses writes: ${refused.why}` : null,
    stop: () => clearInterval(timer),
  };
}
