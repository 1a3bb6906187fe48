import { hash } from 'node:crypto';
import { setInterval } from 'node:timers';
import { exponentialBackoff, type FailedJob, type JobQueue } from '../../shared/jobs/queues.ts';
import type { DeadLetter } from '../../shared/model/dead-letter.ts';
import { reason } from '../../shared/process/log.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import { jobRetries } from '../../shared/timing/retry.ts';
import type { WorkerParts } from '../worker.ts';

const sweepEveryMs = 10_000;
const mostInSweep = 100;

/** A scheduled job: its next turn does the work of this one too, so there is nothing to keep or replay. */
const isScheduled = ({ repeatJobKey }: FailedJob): boolean => repeatJobKey !== undefined;

function letterOf(queue: string, job: FailedJob): DeadLetter {
  const jobId = String(job.id);
  return {
    id: `job-${hash('sha256', [queue, job.name, jobId].join('\n'), 'base64url')}`,
    reason: 'job_failed',
    at: job.finishedOn ?? wallMs(),
    attempts: job.attemptsMade,
    error: job.failedReason,
    subject: { queue, job: job.name, jobId },
    content: JSON.stringify(job.data),
  };
}

/**
 * Moves every failed job of a queue to the dead letters: jobs that used up their attempts, and jobs whose process died
 * too often, of which no process is told. A job leaves the queue only after its letter is stored, so a crash in between
 * repeats and loses nothing. A failed turn of a scheduled job is only logged.
 */
export function sweepFailedJobs(
  { deadLetters, log, lifecycle }: Pick<WorkerParts, 'deadLetters' | 'log' | 'lifecycle'>,
  queue: JobQueue,
): void {
  async function sweep(): Promise<void> {
    for (const job of (await queue.getFailed(0, mostInSweep - 1)) as FailedJob[]) {
      const letter = letterOf(queue.name, job);
      if (isScheduled(job))
        log.error({ event: 'turn_failed', queue: queue.name, job: job.name, reason: job.failedReason });
      else if (await deadLetters.add(letter))
        log.error({ event: 'job_buried', queue: queue.name, job: job.name, id: letter.id, reason: job.failedReason });
      await job.remove();
    }
  }
  let sweeping = false;
  const sweeps = setInterval(() => {
    if (sweeping) return;
    sweeping = true;
    sweep()
      .catch((thrown) => log.debug({ event: 'job_sweep_failed', queue: queue.name, reason: reason(thrown) }))
      .finally(() => (sweeping = false));
  }, sweepEveryMs);
  lifecycle.opened(`failed jobs ${queue.name}`, () => clearInterval(sweeps));
}

/**
 * Puts the job of a letter into its queue again. Resolves the effect in words, or null if this process has no such
 * queue.
 */
export async function repeatJob(
  queues: readonly JobQueue[],
  { subject, content = 'null' }: DeadLetter,
): Promise<string | null> {
  const { queue: name, job, jobId } = subject as { queue: string; job: string; jobId: string };
  const queue = queues.find((one) => one.name === name);
  if (queue === undefined) return null;
  // An older version kept failed turns of scheduled jobs too.
  if (jobId === '') return 'nothing: it comes again by itself';
  await queue.add(job, JSON.parse(content), { jobId, ...exponentialBackoff(jobRetries.repeated) });
  return 'put into the queue again';
}
