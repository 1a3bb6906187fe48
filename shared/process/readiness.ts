import type { Redis } from 'ioredis';
import { monotonicMs } from '../timing/clocks.ts';
import type { Readiness } from './health.ts';

/** Redis may be away this long before a process is not ready (ms). */
const withoutRedisMs = 5000;

/** Why a process does not do its work, or null when it does. */
export type Fitness = () => string | null;

/**
 * Ready once the deployment has been open, while Redis was not away for 5 s and every watched part is fit, until the
 * process stops.
 */
export function createReadiness(
  redis: Redis,
  deployment: { readonly isOpen: boolean },
  lifecycle: { readonly stopping: boolean },
): { ready: Readiness; watch: (fitness: Fitness) => void } {
  let awaySince: number | null = monotonicMs();
  let opened = false;
  redis.on('ready', () => (awaySince = null));
  redis.on('close', () => (awaySince ??= monotonicMs()));
  const watched: Fitness[] = [];
  const ready: Readiness = () => {
    if (lifecycle.stopping) return { ready: false, reason: 'stopping' };
    opened ||= deployment.isOpen;
    if (!opened) return { ready: false, reason: 'starting' };
    if (awaySince !== null && monotonicMs() - awaySince > withoutRedisMs)
      return { ready: false, reason: 'Redis is away' };
    for (const fitness of watched) {
      const fault = fitness();
      if (fault !== null) return { ready: false, reason: fault };
    }
    return { ready: true };
  };
  return { ready, watch: (fitness) => void watched.push(fitness) };
}
