import type { Redis } from 'ioredis';
import { orRetryLater } from './failures.ts';
import type { Keys } from './keys.ts';
import { redisMs } from './redis-time.ts';

/** What a gateway holds for presence. */
export type PresenceCounts = {
  /** Users with a device at the gateway. */
  users: number;
  /** Users whom somebody at the gateway watches, and pairs of the two. */
  watched: number;
  watches: number;
};

/** What a process did in some time. Rates are per second. Latencies are null if nothing was timed. */
export type Figures = {
  acceptedPerS: number;
  pushedPerS: number;
  settledPerS: number;
  acceptP50Ms: number | null;
  acceptP99Ms: number | null;
  deliverP50Ms: number | null;
  deliverP99Ms: number | null;
};

/** The report of a process on itself, every two seconds. Its figures are those since the report before. */
export type ProcessReport = Figures & {
  id: string;
  role: string;
  host: string;
  pid: number;
  /** Time of the report, ms since 1970 by Redis. */
  at: number;
  connections: number;
  residentBytes: number;
  eventLoopP99Ms: number;
  /** The figures of the last ten seconds, for samples of the deployment. Absent in reports of older versions. */
  sampled?: Figures;
  /** Of a gateway. Absent in reports of older versions. */
  presence?: PresenceCounts;
};

export type Said = Omit<ProcessReport, 'at'>;

/**
 * Older reports are those of processes that have ended; so are those of a time that has not come: the clock has gone
 * back since.
 */
const currentMs = 10_000;
/** Every this many reports, a process also removes those of processes that ended without leaving. */
const reportsPerSweep = 15;

/** The processes of the deployment, as they report themselves. */
export function createProcesses(redis: Redis, keys: Keys) {
  let reports = 0;

  async function read(): Promise<{ current: ProcessReport[]; ended: ProcessReport[] }> {
    const all = Object.values(await redis.hgetall(keys.processes)).map((text) => JSON.parse(text) as ProcessReport);
    const now = await redisMs(redis);
    const isCurrent = ({ at }: ProcessReport): boolean => Math.abs(now - at) <= currentMs;
    return { current: all.filter(isCurrent), ended: all.filter((report) => !isCurrent(report)) };
  }

  return {
    async report(said: Said): Promise<void> {
      const report: ProcessReport = { ...said, at: await redisMs(redis) };
      await redis.hset(keys.processes, report.id, JSON.stringify(report));
      await redis.pexpire(keys.processes, 6 * currentMs);
      if (reports++ % reportsPerSweep !== 0) return;
      const { ended } = await read();
      if (ended.length > 0) await redis.hdel(keys.processes, ...ended.map(({ id }) => id));
    },

    async leave(id: string): Promise<void> {
      await redis.hdel(keys.processes, id);
    },

    /** Resolves the processes that reported lately, by role and id. */
    async list(): Promise<ProcessReport[]> {
      const { current } = await orRetryLater(read());
      return current.sort((one, other) => (one.role + one.id < other.role + other.id ? -1 : 1));
    },
  };
}

export type Processes = ReturnType<typeof createProcesses>;
