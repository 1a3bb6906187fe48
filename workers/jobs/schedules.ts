import type { Redis } from 'ioredis';
import { exponentialBackoff, type JobQueue, takeDelayed } from '../../shared/jobs/queues.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import { jobRetries } from '../../shared/timing/retry.ts';

/** A schedule may be off by this much (ms): clocks of two processes differ, and a busy queue is late. */
const earlyMs = 5000;
const lateMs = 60_000;

/**
 * The scheduled jobs of a queue: names and intervals (ms).
 *
 * BullMQ goes by the wall clock of its processes. After a clock jump its jobs stay delayed by the length of the jump,
 * and no restart helps. So whatever is delayed too far is scheduled again: a schedule whose next turn is further away
 * than its interval, and a job that waits longer than any job of the queue may (`longestPauseMs`).
 */
export function createSchedules(
  queue: JobQueue,
  redis: Redis,
  everyMs: Record<string, number>,
  longestPauseMs: number,
) {
  const all = Object.entries(everyMs);
  const make = async (job: string, every: number): Promise<void> =>
    void (await queue.upsertJobScheduler(
      job,
      { every },
      { name: job, opts: exponentialBackoff(jobRetries.scheduled) },
    ));

  async function remakeOne(job: string, every: number): Promise<void> {
    await queue.removeJobScheduler(job);
    await make(job, every);
  }

  /** Makes schedules again that are missing or off by too much; resolves their number. */
  async function mend(): Promise<number> {
    const known = new Map((await queue.getJobSchedulers()).map(({ key, next }) => [key, next ?? 0]));
    const now = wallMs();
    const wrong = all.filter(([job, every]) => {
      const next = known.get(job) ?? 0;
      return next > now + every + earlyMs || next < now - every - lateMs;
    });
    for (const [job, every] of wrong) await remakeOne(job, every);
    await takeDelayed(queue, redis, now + longestPauseMs);
    return wrong.length;
  }

  return {
    mend,
    /** Replaces schedules that another version has made. */
    async start(): Promise<void> {
      await mend();
      for (const [job, every] of all) await make(job, every);
    },
    async remake(): Promise<void> {
      for (const [job, every] of all) await remakeOne(job, every);
    },
  };
}

export type Schedules = ReturnType<typeof createSchedules>;
