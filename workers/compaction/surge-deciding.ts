import type { Redis } from 'ioredis';
import { nextSurge, surgeStates } from '../../shared/model/surge.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { readPartitions } from '../../shared/redis/streams/partitions.ts';
import type { Surges } from '../../shared/redis/streams/surges.ts';

/** Maximum time between two compared looks (s). After longer, nobody decided in between, or the clock has jumped. */
const longestLookS = 600;

/**
 * Decides the surge state of every partition from its rate since the last look, the history backlog and the store's
 * latency.
 */
export function createSurgeDeciding(parts: {
  redis: Redis;
  keys: Keys;
  surges: Surges;
  metrics: Pick<Metrics, 'surge'>;
  log: Logger;
}) {
  const { redis, keys, surges, metrics, log } = parts;
  return async (): Promise<void> => {
    const [partitions, before, mode] = await Promise.all([readPartitions(redis, keys), surges.read(), surges.mode()]);
    for (const { partition, appended, groups } of partitions) {
      const { at, ...was } = before[partition]!;
      const seconds = (at - was.decidedAt) / 1000;
      // The rate is 0 at the first look, and if a partition's counters were reset. After a clock jump the last rate
      // holds.
      const jumped = seconds < 0 || seconds > longestLookS;
      const measuredRate = jumped ? was.rate : (appended - was.appended) / Math.max(seconds, 0.1);
      const rate = was.decidedAt === 0 || appended < was.appended ? 0 : measuredRate;
      const measured = { rate, lag: groups.history.unsettled, storeMs: was.storeMs };
      const next = nextSurge(was, measured, mode, at);
      await surges.decide({ ...was, ...next, decidedAt: at, appended, rate: Math.round(rate), lag: measured.lag });
      for (const state of surgeStates) metrics.surge.set({ partition, state }, next.state === state ? 1 : 0);
      if (next.state !== was.state)
        log.warn({
          event: 'surge',
          partition,
          from: was.state,
          to: next.state,
          reason: next.reason,
          rate: Math.round(rate),
          lag: measured.lag,
        });
    }
  };
}
