import type { Redis } from 'ioredis';
import { exponentialBackoff, type JobQueue, takeDelayed } from '../../shared/jobs/queues.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import { jobRetries } from '../../shared/timing/retry.ts';

/** What a turn may be off by before it is made anew: clocks of two processes differ, and a busy queue is late (ms). */
const earlyMs = 5000;
const lateMs = 60_000;

/**
 * The jobs of a queue that come by themselves: name and how often (ms).
 *
 * BullMQ goes by the wall clock of its processes. What it has put off while a clock was ahead, or before it was set
 * back, stays put off for the length of the jump, and no restart helps. So whatever is further off than it can have
 * been meant is taken anew: a schedule whose next turn is further off than its interval, and a job that waits for
 * longer than any job of the queue may (`longestPauseMs`).
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

  async function makeAnew(job: string, every: number): Promise<void> {
    await queue.removeJobScheduler(job);
    await make(job, every);
  }

  /** Resolves how many schedules were missing or off by more than they may, and were made anew. */
  async function mend(): Promise<number> {
    const known = new Map((await queue.getJobSchedulers()).map(({ key, next }) => [key, next ?? 0]));
    const now = wallMs();
    const wrong = all.filter(([job, every]) => {
      const next = known.get(job) ?? 0;
      return next > now + every + earlyMs || next < now - every - lateMs;
    });
    for (const [job, every] of wrong) await makeAnew(job, every);
    await takeDelayed(queue, redis, now + longestPauseMs);
    return wrong.length;
  }

  return {
    mend,
    /** What another version may have made otherwise is made as this one wants it. */
    async start(): Promise<void> {
      await mend();
      for (const [job, every] of all) await make(job, every);
    },
    async remake(): Promise<void> {
      for (const [job, every] of all) await makeAnew(job, every);
    },
  };
}

export type Schedules = ReturnType<typeof createSchedules>;
