import type { JobQueue } from '../../shared/jobs/queues.ts';
import { deadLetterReasons } from '../../shared/model/dead-letter.ts';
import { groupNames } from '../../shared/model/groups.ts';
import { readServerMemory } from '../../shared/redis/server-memory.ts';
import { readPartitions } from '../../shared/redis/streams/partitions.ts';
import type { WorkerParts } from '../worker.ts';

const states = ['waiting', 'active', 'delayed', 'prioritized', 'failed'] as const;

/**
 * Gauges of the whole deployment. Only `jobs` has them, so that no sum counts them twice. They are measured when they
 * are asked for.
 */
export function measureDeployment(
  { metrics, redis, keys, deadLetters }: WorkerParts,
  queues: readonly JobQueue[],
): void {
  metrics.groupLag(async () =>
    (await readPartitions(redis, keys)).flatMap(({ partition, groups }) =>
      groupNames.map((group) => ({
        labels: { group, partition },
        value: groups[group].unsettled,
      })),
    ),
  );
  metrics.deadLetters(async () => {
    const { counts } = await deadLetters.list({ limit: 1 });
    return deadLetterReasons.map((reason) => ({ labels: { reason }, value: counts[reason] }));
  });
  metrics.lostAmendments(async () => [{ labels: {}, value: await deadLetters.lostAmendments() }]);
  metrics.queueJobs(async () => {
    const counted = await Promise.all(
      queues.map(async (queue) => ({ queue: queue.name, counts: await queue.getJobCounts(...states) })),
    );
    return counted.flatMap(({ queue, counts }) =>
      states.map((state) => ({ labels: { queue, state }, value: counts[state] ?? 0 })),
    );
  });
  metrics.redisBytes(async () => {
    const { usedBytes, maxBytes } = await readServerMemory(redis);
    return [
      { labels: { what: 'used' }, value: usedBytes },
      { labels: { what: 'most' }, value: maxBytes },
    ];
  });
}
