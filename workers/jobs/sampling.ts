import { setTimeout } from 'node:timers';
import type { Redis } from 'ioredis';
import { ofEachGroup } from '../../shared/model/groups.ts';
import { reason } from '../../shared/process/log.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { totalsOf } from '../../shared/redis/process-totals.ts';
import { createProcesses } from '../../shared/redis/processes.ts';
import { redisMs } from '../../shared/redis/redis-time.ts';
import { createSamples, sampleEveryMs } from '../../shared/redis/samples.ts';
import { readServerMemory } from '../../shared/redis/server-memory.ts';
import { readPartitions } from '../../shared/redis/streams/partitions.ts';
import { createSurges } from '../../shared/redis/streams/surges.ts';
import type { WorkerParts } from '../worker.ts';

/**
 * Takes one sample of the whole deployment, unless another process has taken that of these ten seconds. It only reads
 * what processes report and what Redis counts anyway: nothing on the way of a message waits for it. Resolves its time.
 */
export function createSampling(redis: Redis, keys: Keys): () => Promise<number> {
  const samples = createSamples(redis, keys);
  const processes = createProcesses(redis, keys);
  const surges = createSurges(redis, keys);
  return async () => {
    const at = await redisMs(redis);
    if (await samples.has(at)) return at;
    const [reports, partitions, surge, { usedBytes }] = await Promise.all([
      processes.list(),
      readPartitions(redis, keys),
      surges.states(),
      readServerMemory(redis),
    ]);
    await samples.note({
      at,
      ...totalsOf(reports, (report) => report.sampled ?? report),
      redisBytes: usedBytes,
      lag: ofEachGroup((group) => partitions.map(({ groups }) => groups[group].unsettled)),
      surge,
    });
    return at;
  };
}

/** Processes come up to this far apart (ms): one is first in each ten seconds, and the others find its sample. */
const spreadMs = 5000;

/** Has `jobs` sample in each ten seconds. While Redis is away there are no samples, and curves have a gap. */
export function sampleDeployment({ id, redis, keys, log, lifecycle }: WorkerParts): void {
  const sample = createSampling(redis, keys);
  const offset = Number.parseInt(id, 16) % spreadMs;
  let timer: NodeJS.Timeout;

  async function turn(): Promise<void> {
    let untilNext = sampleEveryMs;
    try {
      const at = await sample();
      untilNext = sampleEveryMs - (at % sampleEveryMs) + offset;
    } catch (thrown) {
      log.debug({ event: 'sample_failed', reason: reason(thrown) });
    }
    timer = setTimeout(() => void turn(), untilNext);
  }
  timer = setTimeout(() => void turn(), offset);
  lifecycle.opened('samples', () => clearTimeout(timer));
}
