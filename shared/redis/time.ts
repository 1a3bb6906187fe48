import type { Redis } from 'ioredis';

/** Redis' answer to TIME as milliseconds since 1970. */
export const readTime = (reply: unknown): number => {
  const [seconds, microseconds] = reply as [string, string];
  return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000);
};

/** The time by Redis (ms since 1970): for what one process writes and another compares (clocks.ts). */
export const redisMs = async (redis: Redis): Promise<number> => readTime(await redis.time());
