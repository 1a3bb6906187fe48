import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openHistory } from '../shared/history/open.ts';
import { openQueue } from '../shared/jobs/queues.ts';
import { createMessageTrace, type MessageTrace } from '../shared/message-trace/message-trace.ts';
import { loadConfig } from '../shared/process/config.ts';
import { createConnections, whenReady } from '../shared/redis/connection/connect.ts';
import { createDeadLetters } from '../shared/redis/dead-letters.ts';
import { createKeys } from '../shared/redis/keys.ts';
import { keepScriptsLoaded } from '../shared/redis/scripts.ts';
import { readPartitions } from '../shared/redis/streams/partitions.ts';
import { createSurges } from '../shared/redis/streams/surges.ts';
import type { Context } from './command.ts';
import { UsageError, dataDir, type Env } from './context.ts';

/** A logger for commands, which say themselves what failed. */
export const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

/** REDIS_URL, or the Redis that the launcher runs on this machine. */
async function findRedis(env: Env): Promise<string> {
  if (env['REDIS_URL']) return env['REDIS_URL'];
  const path = join(dataDir(env), 'run.json');
  try {
    const { redisUrl } = JSON.parse(await readFile(path, 'utf8')) as { redisUrl?: string | null };
    if (redisUrl) return redisUrl;
  } catch {
    // No such file, or half written: the error below names the remedy.
  }
  throw new UsageError(`No Redis to ask: set REDIS_URL, or start the cluster (npm start), which writes ${path}.`);
}

/** Access to a running deployment for the operator's commands. The caller closes it. */
export async function openOperatorAccess({ env, signal, doing }: Context) {
  doing('waiting for Redis');
  const config = loadConfig({ ...env, REDIS_URL: await findRedis(env) }, { auth: false });
  const redis = keepScriptsLoaded(createConnections(config.REDIS_URL, quiet).queue());
  try {
    await whenReady(redis, AbortSignal.any([signal, AbortSignal.timeout(5000)]));
  } catch {
    redis.disconnect();
    throw new UsageError('Redis does not answer.');
  }
  doing('reading from Redis');
  const keys = createKeys(config.KEY_PREFIX, config.PARTITIONS, config.INBOX_SHARDS);
  const queue = openQueue('dead-letter', redis, keys);
  const deliveries = openQueue('delivery', redis, keys);
  const deadLetters = createDeadLetters(redis, keys);
  return {
    config,
    redis,
    keys,
    deadLetters,
    queue,
    surges: createSurges(redis, keys),
    partitions: () => readPartitions(redis, keys),
    trace: async (...asked: Parameters<MessageTrace>) => {
      doing('looking for the message in Redis and history');
      const history = await openHistory(config.historyUrl, { inThread: false, coldUrl: config.COLD_URL });
      try {
        return await createMessageTrace({ redis, keys, history, deadLetters, deliveries })(...asked);
      } finally {
        await history.close();
      }
    },
    async close(): Promise<void> {
      await Promise.all([queue.close(), deliveries.close()]);
      redis.disconnect();
    },
  };
}

export type OperatorAccess = Awaited<ReturnType<typeof openOperatorAccess>>;
