/**
 * The CPU time of a whole server: of its Redis from Redis itself in microseconds, of all other processes from the
 * kernel.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Server } from './cluster.ts';
import { readCpu } from './proc.ts';
import type { RedisInfo } from './redis-info.ts';

export type ServerCpu = {
  /** When it was read, in seconds. */
  at: number;
  redis: number;
  /** Gateway and workers, or the bare server. */
  others: number;
  /** All work of the machine, including this process. */
  busy: number;
  own: number;
};

export type Watched = { server: Server; redis: RedisInfo | undefined };

export async function readServerCpu({ server, redis }: Watched): Promise<ServerCpu> {
  const used = redis === undefined ? 0 : await redis.cpuSeconds();
  const { at, busy, own, byName } = readCpu(server.processes);
  const others = Object.entries(byName).reduce((sum, [name, seconds]) => (name === 'redis' ? sum : sum + seconds), 0);
  return { at, redis: used, others, busy, own };
}

export const serverCpuBetween = (from: ServerCpu, to: ServerCpu): ServerCpu => ({
  at: to.at - from.at,
  redis: to.redis - from.redis,
  others: to.others - from.others,
  busy: to.busy - from.busy,
  own: to.own - from.own,
});

const sampleMs = 250;
/**
 * A server at rest uses at most this share of a core: it still wakes for each of thousands of connections now and then.
 */
const restCores = 0.17;

/**
 * Resolves when a server has finished all work: writing inboxes, blocks, trimming. Returns false after `patienceMs`.
 * Take more samples for work that comes in steps, and for a busy machine: a server waiting for the processor looks idle
 * for a moment.
 */
export async function waitForRest(watched: Watched, patienceMs: number, samples = 2): Promise<boolean> {
  const givenUpAt = performance.now() + patienceMs;
  let quiet = 0;
  let last = await readServerCpu(watched);
  while (quiet < samples) {
    if (performance.now() > givenUpAt) return false;
    await pause(sampleMs);
    const next = await readServerCpu(watched);
    const { at, redis, others } = serverCpuBetween(last, next);
    quiet = (redis + others) / at <= restCores ? quiet + 1 : 0;
    last = next;
  }
  return true;
}
