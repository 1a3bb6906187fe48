import type { Redis } from 'ioredis';
import { infoField } from '../../shared/redis/server-info.ts';

const lookEveryMs = 1000;
/**
 * Above this part of Redis' maxmemory nothing more is taken (write-guard.ts), so that what was taken can still be
 * delivered.
 */
const mostUsed = 0.9;
/** Above this part nothing is kept in Redis only to be read faster. */
const tightFrom = 0.75;

/** Watches how full Redis is, where it has a limit. */
export function createMemoryWatch(redis: Redis) {
  let full = false;
  let tight = false;

  async function look(): Promise<void> {
    const info = await redis.info('memory');
    const limit = Number(infoField(info, 'maxmemory'));
    const used = Number(infoField(info, 'used_memory'));
    full = limit > 0 && used > limit * mostUsed;
    tight = limit > 0 && used > limit * tightFrom;
  }

  const timer = setInterval(() => void look().catch(() => undefined), lookEveryMs);
  return {
    /** Whether what is only a cache should take no more memory. */
    get isTight(): boolean {
      return tight;
    },
    /** Whether nothing more should be taken. */
    get isFull(): boolean {
      return full;
    },
    stop: (): void => clearInterval(timer),
  };
}
