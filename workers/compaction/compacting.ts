import { createSurges } from '../../shared/redis/surges.ts';
import type { QueuedJob } from '../../shared/queues.ts';
import { createTrimming } from './trimming.ts';
import type { WorkerParts } from '../worker.ts';
import { createDeciding } from './deciding.ts';
import { createMerging } from './merging.ts';
import { createRetention } from './retention.ts';

/** How often each part of the compaction comes (ms). */
export const compactionEveryMs = { trim: 2000, surge: 1000, merge: 20_000, retain: 300_000 };

/**
 * The compaction job, by its parts: `trim` cuts the message streams below what every group has settled, `surge` decides how every
 * partition stands, `merge` makes full blocks of small ones, `retain` removes what history has kept long enough. Each may be stopped
 * at any moment, run twice, or by two processes at once.
 */
export function createCompacting(parts: WorkerParts) {
  const { config, redis, keys, history, metrics, log, deployment } = parts;
  const work: Record<string, () => Promise<void>> = {
    trim: createTrimming(redis, keys, metrics, log, deployment.open),
    surge: createDeciding({ redis, keys, surges: createSurges(redis, keys), metrics, log }),
    merge: createMerging({ redis, keys, history, metrics }),
    retain: createRetention({ history, metrics, retentionMs: config.historyRetentionMs }),
  };
  return async ({ name }: QueuedJob): Promise<void> => {
    await work[name]?.();
  };
}
