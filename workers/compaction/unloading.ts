import type { Redis } from 'ioredis';
import pLimit from 'p-limit';
import { blockLimits } from '../../shared/history/block.ts';
import type { HistoryStore } from '../../shared/history/store.ts';
import { encodeSpans } from '../../shared/model/spans.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { createIdleConversations } from '../../shared/redis/conversations/idle-conversations.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { wallMs } from '../../shared/timing/clocks.ts';

const stepsInRun = 10;
/** Maximum conversations looked up in history; a run that reaches it ends after its current step. */
const mostLooks = 200;
const looksAtOnce = 20;

/**
 * Unloads conversations that nobody has written to for long: history has all of them, and a mark stays in Redis. This
 * job only finds them; the script compares and decides whether one may go. A run walks over some thousand keys and
 * continues where the last run stopped.
 */
export function createUnloading(parts: {
  redis: Redis;
  keys: Keys;
  history: Pick<HistoryStore, 'blocksSince' | 'conversation'>;
  metrics: Pick<Metrics, 'unloaded'>;
  unloadAfterMs: number;
  now?: () => number;
}) {
  const { redis, keys, history, metrics, unloadAfterMs, now = wallMs } = parts;
  const idle = createIdleConversations(redis, keys);
  const limit = pLimit(looksAtOnce);

  async function unload(id: string, seq: number, since: number): Promise<void> {
    // The block with the last message begins at most one block's length before it.
    const used = await history.blocksSince(id, since, Math.max(0, seq - blockLimits.messages), 1);
    if (used.length > 0) return;
    const stored = await history.conversation(id);
    if (stored === null) return;
    const members = stored.members.map(({ user, spans, version }) => ({ user, spans: encodeSpans(spans), version }));
    // Redis may still name a skip that a replay has since filled. A recorded skip is enough to unload.
    if (await idle.unload({ ...stored, members, skips: stored.recorded }, since)) metrics.unloaded.inc();
  }

  /** A conversation that cannot be read is left to the next walk, so that it does not block the others. */
  const look = (id: string, seq: number, since: number): Promise<void> => unload(id, seq, since).catch(() => undefined);

  return async (): Promise<void> => {
    if (unloadAfterMs === Infinity) return;
    const since = now() - unloadAfterMs;
    let cursor = (await redis.hget(keys.compaction, 'unloadedTo')) ?? '0';
    let looks = 0;
    for (let step = 0; step < stepsInRun && looks < mostLooks; step++) {
      const { next, found } = await idle.step(cursor, since);
      await Promise.all(found.map(({ id, seq }) => limit(look, id, seq, since)));
      looks += found.length;
      cursor = next;
      if (next === '0') break;
    }
    await redis.hset(keys.compaction, 'unloadedTo', cursor);
  };
}
