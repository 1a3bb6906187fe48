import type { Redis } from 'ioredis';
import { infoField } from '../../shared/redis/server-info.ts';

const lookEveryMs = 1000;
/**
 * Above this share of Redis' maxmemory the write guard refuses writes, so that accepted messages can still be
 * delivered.
 */
const mostUsed = 0.9;
/** Above this share nothing more is cached in Redis. */
const tightFrom = 0.75;

/** Watches how full Redis is. Without a maxmemory it is never full. */
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
    /** Whether caches must take no more memory. */
    get isTight(): boolean {
      return tight;
    },
    /** Whether writes must be refused. */
    get isFull(): boolean {
      return full;
    },
    stop: (): void => clearInterval(timer),
  };
}
