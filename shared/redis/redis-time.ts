import type { Redis } from 'ioredis';
import { createProvenClock, monotonicMs } from '../timing/clocks.ts';

/** Redis' answer to TIME as milliseconds since 1970. */
export function readTime(reply: unknown): number {
  const [seconds, microseconds] = reply as [string, string];
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
}

/** The time by Redis (ms since 1970): for what one process writes and another compares (clocks.ts). */
export const redisMs = async (redis: Redis): Promise<number> => readTime(await redis.time());

/**
 * The time by Redis for what takes away for good (clocks.ts): `-Infinity` until it has gone without a jump ahead for
 * ten minutes.
 */
export function createProvenTime(redis: Redis, monotonic = monotonicMs): () => Promise<number> {
  let read = 0;
  const proven = createProvenClock(false, () => read, monotonic);
  return async () => {
    read = await redisMs(redis);
    return proven();
  };
}
