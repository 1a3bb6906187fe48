import type { Redis } from 'ioredis';
import pLimit from 'p-limit';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { Keys } from '../../shared/redis/keys.ts';

const keysInStep = 1000;
const stepsInRun = 5;
const readsAtOnce = 20;

/**
 * Expires the inboxes of users who do not come back. Reading an inbox expires its old entries, so each inbox is read
 * from time to time. What amendments have laid over messages that are gone goes with them. A run walks over a few
 * thousand keys and continues where the last run stopped.
 */
export function createCleaning(parts: {
  redis: Redis;
  keys: Keys;
  inboxes: Pick<Inboxes, 'page' | 'sweepOverlays'>;
  metrics: Pick<Metrics, 'cleaned'>;
}) {
  const { redis, keys, inboxes, metrics } = parts;
  const limit = pLimit(readsAtOnce);

  /** An inbox that is unreadable after a loss is read when its user returns, or by the next walk. */
  async function read(user: string): Promise<void> {
    try {
      await inboxes.page(user, 0, 1);
      await inboxes.sweepOverlays(user);
      metrics.cleaned.inc();
    } catch {
      // Nothing is lost by it.
    }
  }

  return async (): Promise<void> => {
    let cursor = (await redis.hget(keys.compaction, 'cleanedTo')) ?? '0';
    for (let step = 0; step < stepsInRun; step++) {
      const [next, found] = await redis.scan(cursor, 'MATCH', keys.everyInbox, 'COUNT', keysInStep);
      await Promise.all(found.map((key) => limit(read, keys.userOf(key))));
      cursor = next;
      if (next === '0') break;
    }
    await redis.hset(keys.compaction, 'cleanedTo', cursor);
  };
}
