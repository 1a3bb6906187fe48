import {
  type Again,
  type JobQueue,
  openQueue,
  openWorker,
  type QueuedJob,
  type QueueName,
  type WorkerOptions,
} from '../../shared/jobs/queues.ts';
import { isProgramFault } from '../../shared/model/errors.ts';
import { reason } from '../../shared/process/log.ts';
import type { WorkerParts } from '../worker.ts';
import { sweepFailedJobs } from './failed-jobs.ts';
import { probeEveryMs, watchQueue } from './queue-probe.ts';
import { createSchedules } from './schedules.ts';

const usualPauseMs = 60_000;

/**
 * Opens a queue and a worker for its jobs, until the process ends. `everyMs`: scheduled jobs and their intervals; the
 * probe's job is always added. `longestPauseMs`: no job is delayed longer before a retry.
 */
export function serveQueue(
  parts: WorkerParts,
  name: QueueName,
  work: (job: QueuedJob) => Promise<Again | void>,
  {
    everyMs = {},
    longestPauseMs = usualPauseMs,
    ...options
  }: WorkerOptions & { everyMs?: Record<string, number>; longestPauseMs?: number } = {},
): JobQueue {
  const { log, lifecycle, keys, redis, config, faults, connections } = parts;
  const connection = connections.queue();
  lifecycle.opened(`queue connection ${name}`, () => connection.disconnect());
  const queue = openQueue(name, connection, keys, config.TELEMETRY);
  queue.on('error', (error) => log.warn({ event: 'queue_error', queue: name, reason: reason(error) }));
  lifecycle.opened(`queue ${name}`, () => queue.close());

  const schedules = createSchedules(queue, redis, { canary: probeEveryMs, ...everyMs }, longestPauseMs);
  const probe = watchQueue(parts, name, schedules);
  const worker = openWorker(name, connection, keys, (job) => (job.name === 'canary' ? probe.countUp() : work(job)), {
    ...options,
    ...(options.failed === undefined ? {} : { failed: faults.contained('job', options.failed) }),
    traced: config.TELEMETRY,
  });
  worker.on('error', (error) => log.warn({ event: 'worker_error', queue: name, reason: reason(error) }));
  worker.on('failed', (job, error) => {
    log.warn({ event: 'job_failed', queue: name, job: job?.name, reason: reason(error) });
    if (isProgramFault(error)) faults.note('job', error);
  });
  // Without Redis the running jobs are not waited for: they come again elsewhere.
  lifecycle.opened(`worker ${name}`, () => worker.close(connection.status !== 'ready'));
  sweepFailedJobs(parts, queue);
  schedules.start().catch((thrown) => log.warn({ event: 'queue_error', queue: name, reason: reason(thrown) }));
  return queue;
}
