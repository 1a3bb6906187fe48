import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { openSqliteStore } from '../../shared/history/sqlite/store.ts';
import type { HistoryStore } from '../../shared/history/store.ts';
import { createMetrics } from '../../shared/process/metrics.ts';
import { createUnloading } from '../../workers/compaction/unloading.ts';
import type { Cluster } from './cluster.ts';

/** A year from now: everything counts as idle. */
const later = (): number => Date.now() + 365 * 86_400_000;

/** The compaction job `unload`, run by the test at another time. It has its own connection to history. */
export function createUnloader(cluster: Cluster) {
  const { redis, keys } = cluster;
  const store = openSqliteStore(join(cluster.dir, 'history.db'));
  const metrics = createMetrics('test');

  /** One run of the job, optionally with parts of the history replaced. */
  const job = async (
    history: Pick<HistoryStore, 'blocksSince' | 'conversation'> = store,
    unloadAfterMs = 0,
  ): Promise<void> => {
    await createUnloading({
      redis,
      keys,
      history,
      metrics,
      unloadAfterMs,
      now: later,
    })();
  };

  async function walk(history?: Pick<HistoryStore, 'blocksSince' | 'conversation'>): Promise<void> {
    do await job(history);
    while ((await redis.hget(keys.compaction, 'unloadedTo')) !== '0');
  }
  async function isUnloaded(id: string): Promise<boolean> {
    const partition = keys.partitionOf(id);
    const epoch = await redis.hget(keys.conversation(partition, id), 'epoch');
    return epoch?.startsWith('unloaded:') === true && (await redis.exists(keys.members(partition, id))) === 0;
  }

  return {
    store,
    job,
    /** Runs the job until it has walked over all keys: other tests share the Redis. */
    walk,
    /** Walks until this one is unloaded: a conversation that may not go yet is left to the next walk. */
    unload: (id: string): Promise<void> =>
      vi.waitFor(
        async () => {
          await walk();
          expect(await isUnloaded(id)).toBe(true);
        },
        { timeout: 10_000, interval: 50 },
      ),
    /** The fields that Redis holds of a conversation. */
    held: (id: string): Promise<Record<string, string>> => redis.hgetall(keys.conversation(keys.partitionOf(id), id)),
    isUnloaded,
    /** How many conversations this unloader has unloaded. */
    unloaded: async (): Promise<number> => (await metrics.unloaded.get()).values[0]?.value ?? 0,
    close: (): Promise<void> => store.close(),
  };
}

export type Unloader = ReturnType<typeof createUnloader>;
