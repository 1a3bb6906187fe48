import type { Redis } from 'ioredis';
import type { Readiness } from './health.ts';

/** Redis may be away this long before a process is not ready (ms). */
const withoutRedisMs = 5000;

/** Ready once the deployment has been open, while Redis was not away for 5 s, and until the process stops. */
export function createReadiness(
  redis: Redis,
  deployment: { readonly isOpen: boolean },
  lifecycle: { readonly stopping: boolean },
): Readiness {
  let awaySince: number | null = Date.now();
  let opened = false;
  redis.on('ready', () => (awaySince = null));
  redis.on('close', () => (awaySince ??= Date.now()));
  return () => {
    if (lifecycle.stopping) return { ready: false, reason: 'stopping' };
    opened ||= deployment.isOpen;
    if (!opened) return { ready: false, reason: 'starting' };
    if (awaySince !== null && Date.now() - awaySince > withoutRedisMs) return { ready: false, reason: 'Redis is away' };
    return { ready: true };
  };
}
