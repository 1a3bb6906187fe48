import { Redis, type RedisOptions } from 'ioredis';
import { backoff } from '../backoff.ts';
import type { Logger } from '../log.ts';

/**
 * The four kinds of Redis connection. What they have in common: explicit retry pauses, and no command is ever sent twice
 * by the client library (one append would land twice): a command whose connection broke is rejected, its outcome unknown.
 */

const common: RedisOptions = {
  protocol: 2,
  retryStrategy: (attempt) => backoff(attempt, 100, 2000),
  keepAlive: 30_000,
  connectTimeout: 5000,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
  autoResubscribe: true,
};

/** How long a blocking read waits on the server (ms). */
export const blockMs = 2000;

function watched(redis: Redis, role: string, log: Logger): Redis {
  redis.on('error', (error: Error) => log.warn({ event: 'redis_error', role, reason: error.message }));
  redis.on('close', () => log.debug({ event: 'redis_closed', role }));
  redis.on('ready', () => log.debug({ event: 'redis_ready', role }));
  return redis;
}

/** For commands: fails fast. While Redis is away every command is rejected at once, one that takes over 2 s is given up. */
export const connectCommands = (url: string, log: Logger): Redis =>
  watched(new Redis(url, { ...common, commandTimeout: 2000, socketTimeout: 10_000 }), 'commands', log);

/** For one blocking reader: a read that hangs longer than the block drops the connection. */
export const connectBlocking = (url: string, log: Logger): Redis =>
  watched(new Redis(url, { ...common, socketTimeout: 2 * blockMs + 1000 }), 'blocking', log);

/** For subscriptions: they are made again after every reconnect. */
export const connectSubscriber = (url: string, log: Logger): Redis =>
  watched(new Redis(url, { ...common, enableOfflineQueue: true, maxRetriesPerRequest: null }), 'subscriber', log);

/** For BullMQ, which brings its own handling of lost connections. */
export const connectQueue = (url: string, log: Logger): Redis =>
  watched(new Redis(url, { ...common, enableOfflineQueue: true, maxRetriesPerRequest: null }), 'queue', log);

/** Resolves once the connection can take commands; rejects when `signal` aborts. */
export async function whenReady(redis: Redis, signal?: AbortSignal): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const ready = () => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    };
    const aborted = () => {
      redis.off('ready', ready);
      reject(signal?.reason);
    };
    redis.once('ready', ready);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}
