import { Redis, type RedisOptions } from 'ioredis';
import { whenReady } from '../../shared/redis/connection/connect.ts';
import { createPrimary } from '../../shared/redis/connection/primary.ts';

const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/**
 * A connection that knows its run of Redis, as those of the processes do, but waits for Redis where theirs fail fast.
 * Scripts on the slot of a partition or a shard answer `closed` through any other.
 */
export function connectRedis(url: string, options: Omit<RedisOptions, 'replyMapping'> = {}): Redis {
  return new Redis(url, { ...createPrimary(quiet).options, ...options });
}

/** Another connection like this one, once it knows its run. */
export async function duplicateOf(redis: Redis): Promise<Redis> {
  const other = redis.duplicate();
  await whenReady(other);
  return other;
}
