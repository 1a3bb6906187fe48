import { openObjects } from '../../shared/history/cold/open-objects.ts';
import type { QueuedJob } from '../../shared/jobs/queues.ts';
import { createInboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { createSurges } from '../../shared/redis/streams/surges.ts';
import type { WorkerParts } from '../worker.ts';
import { createAdopting } from './adopting-strays.ts';
import { createBaking } from './baking.ts';
import { createCleaning } from './cleaning.ts';
import { createCooling } from './cooling.ts';
import { createDiscarding } from './discarding.ts';
import { createMerging } from './merging.ts';
import { createRetention } from './retention.ts';
import { createSurgeDeciding } from './surge-deciding.ts';
import { createTrimming } from './trimming.ts';
import { createUnloading } from './unloading.ts';

/** Interval of each part of the compaction (ms). */
export const compactionEveryMs = {
  trim: 2000,
  adopt: 10_000,
  surge: 1000,
  merge: 20_000,
  bake: 20_000,
  retain: 300_000,
  clean: 10_000,
  unload: 30_000,
  cool: 60_000,
  discard: 60_000,
};

/**
 * The compaction job, by its parts:
 *
 * - `trim` cuts the message streams below the entries that every group has settled
 * - `adopt` takes back entries that a foreign consumer has read from a group
 * - `surge` decides the surge state of every partition
 * - `merge` turns small blocks into full ones
 * - `bake` takes the old bodies of amended messages out of blocks
 * - `retain` removes history that is older than the retention
 * - `clean` expires the inboxes of users who do not come back
 * - `unload` replaces conversations that nobody writes to by marks
 * - `cool` moves old texts into the cold store
 * - `discard` removes objects of the cold store that no block refers to
 *
 * Each part may be stopped at any moment, run twice, or run in two processes at once.
 */
export function createCompacting(parts: WorkerParts) {
  const { config, redis, keys, history, metrics, log, deployment } = parts;
  const inboxes = createInboxes(redis, keys, config, {
    load: () => Promise.reject(new Error('its user has not come yet')),
    closed: () => undefined,
  });
  const objects = config.COLD_URL === '' ? null : openObjects(config.COLD_URL);
  const work: Record<string, () => Promise<void>> = {
    trim: createTrimming(redis, keys, metrics, log, deployment.open),
    adopt: createAdopting(redis, keys, log),
    surge: createSurgeDeciding({ redis, keys, surges: createSurges(redis, keys), metrics, log }),
    merge: createMerging({ redis, keys, history, metrics }),
    bake: createBaking({ redis, keys, history, objects, metrics, log, purgeMs: config.purgeMs }),
    clean: createCleaning({ redis, keys, metrics, inboxes }),
    unload: createUnloading({ redis, keys, history, metrics, unloadAfterMs: config.unloadAfterMs }),
    retain: createRetention({ redis, keys, history, metrics, retentionMs: config.historyRetentionMs }),
  };
  if (objects !== null) {
    work['cool'] = createCooling({ redis, keys, history, objects, metrics, afterMs: config.coldAfterMs });
    work['discard'] = createDiscarding({ redis, keys, history, objects, metrics });
  }
  return async ({ name }: QueuedJob): Promise<void> => {
    await work[name]?.();
  };
}
