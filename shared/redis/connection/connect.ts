import { Redis, type RedisOptions } from 'ioredis';
import type { Logger } from '../../process/log.ts';
import { retries, retryPauseMs } from '../../timing/retry.ts';
import { createPrimary } from './primary.ts';

/** How long a blocking read waits on the server (ms). */
export const blockMs = 2000;

/** Replies come as they do by default. */
type Options = Omit<RedisOptions, 'replyMapping'>;

function watched(redis: Redis, role: string, log: Logger): Redis {
  redis.on('error', (error: Error) => log.warn({ event: 'redis_error', role, reason: error.message }));
  redis.on('close', () => log.debug({ event: 'redis_closed', role }));
  redis.on('ready', () => log.debug({ event: 'redis_ready', role }));
  return redis;
}

/**
 * The connections of one process to Redis, of five kinds. What they have in common: explicit retry pauses, short enough
 * that a new primary is found within a second; all of them are at a primary (primary.ts); and no command of ours is
 * ever sent twice by the client library (one append would land twice): a command whose connection broke is rejected,
 * its outcome unknown.
 */
export function createConnections(url: string, log: Logger) {
  const primary = createPrimary(log);
  const common: Options = {
    protocol: 2,
    retryStrategy: (attempt) => retryPauseMs(retries.redisConnection, attempt),
    keepAlive: 30_000,
    connectTimeout: 5000,
    maxLoadingRetryTime: 100,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    autoResubscribe: true,
    ...primary.options,
  };
  const open = (role: string, options: Options): Redis => watched(new Redis(url, { ...common, ...options }), role, log);

  return {
    /**
     * For commands: fails fast. While Redis is away every command is rejected at once, one that takes over 2 s is given
     * up.
     */
    commands: (): Redis => open('commands', { commandTimeout: 2000, socketTimeout: 10_000 }),

    /** For barriers (barrier.ts), each of which may wait for up to 3 s on the server. */
    barrier: (): Redis => open('barrier', { commandTimeout: 8000, socketTimeout: 10_000 }),

    /** For one blocking reader: a read that hangs longer than the block drops the connection. */
    blocking: (): Redis => open('blocking', { socketTimeout: 2 * blockMs + 1000 }),

    /** For subscriptions: they are made again after every reconnect. */
    subscriber: (): Redis => open('subscriber', { enableOfflineQueue: true, maxRetriesPerRequest: null }),

    /** For BullMQ, which brings its own handling of lost connections: its commands wait for the next one. */
    queue: (): Redis =>
      open('queue', { enableOfflineQueue: true, maxRetriesPerRequest: null, ...primary.waitingOptions }),

    /** Drops them all: their node is no primary any more. */
    leave: primary.leave,
    onLeave: primary.onLeave,

    /**
     * Drops those that lead to another run of Redis than `run` (its id), whatever kind they are. Their commands in
     * flight are rejected, and they are made again.
     */
    keepOnly: primary.keepOnly,
  };
}

export type Connections = ReturnType<typeof createConnections>;

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
