import type { Redis } from 'ioredis';
import type { HistoryStore, OwnDays } from '../../shared/history/store.ts';
import { keptMs } from '../../shared/model/retention.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { createProvenTime } from '../../shared/redis/redis-time.ts';

const blocksInCall = 200;
const mostCalls = 50;
const conversationsInPage = 200;
const mostPages = 10;

/** Sorts before every conversation with days of its own: 0 days means that everything is kept. */
const first: OwnDays = { historyDays: 1, conversation: '' };

/**
 * Removes blocks of history in which everything is older than the retention; readers no longer see them. A run is
 * limited, so that the store serves others in between. One walk finds old blocks, except in conversations with days of
 * their own. Those are looked at one by one: each run takes some, from where the last one stopped.
 *
 * Removed blocks do not come back. So a clock that jumps ahead is believed only after it has lasted, and never in the
 * first ten minutes of a process.
 */
export function createRetention(parts: {
  redis: Redis;
  keys: Keys;
  history: Pick<HistoryStore, 'expireBlocks' | 'expireBlocksOf' | 'ownDays'>;
  metrics: Pick<Metrics, 'expired'>;
  retentionMs: number;
  now?: () => number | Promise<number>;
}) {
  const { redis, keys, history, metrics, retentionMs } = parts;
  const now = parts.now ?? createProvenTime(redis);

  async function expireOld(moment: number): Promise<void> {
    if (retentionMs === Infinity) return;
    for (let call = 0; call < mostCalls; call++) {
      const { looked, removed } = await history.expireBlocks(moment - retentionMs, blocksInCall);
      metrics.expired.inc(removed);
      if (looked < blocksInCall) return;
    }
  }

  /** Makes at most `mostFull` full calls. Resolves their number; after a full call there may be more to remove. */
  async function expireOf({ conversation, historyDays }: OwnDays, moment: number, mostFull: number): Promise<number> {
    for (let full = 0; full < mostFull; full++) {
      const removed = await history.expireBlocksOf(conversation, moment - keptMs(historyDays), blocksInCall);
      metrics.expired.inc(removed);
      if (removed < blocksInCall) return full;
    }
    return mostFull;
  }

  async function expireOwn(moment: number): Promise<void> {
    const [days, conversation] = ((await redis.hget(keys.compaction, 'retainedTo')) ?? '').split(' ');
    let after = conversation === undefined ? first : { historyDays: Number(days), conversation };
    let calls = mostCalls;
    for (let pages = 0; pages < mostPages && calls > 0; pages++) {
      const page = await history.ownDays(after, conversationsInPage);
      for (const own of page) {
        calls -= await expireOf(own, moment, calls);
        after = own;
        if (calls === 0) break;
      }
      if (page.length < conversationsInPage && calls > 0) {
        after = first;
        break;
      }
    }
    await redis.hset(keys.compaction, 'retainedTo', `${after.historyDays} ${after.conversation}`);
  }

  return async (): Promise<void> => {
    const moment = await now();
    // The clock is not trusted yet.
    if (moment === -Infinity) return;
    await expireOld(moment);
    await expireOwn(moment);
  };
}
