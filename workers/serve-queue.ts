import { reason } from '../shared/log.ts';
import { openQueue, openWorker, type QueuedJob, type QueueName, type WorkerOptions } from '../shared/queues.ts';
import { connectQueue } from '../shared/redis/connect.ts';
import type { WorkerParts } from './worker.ts';

/** Opens a queue and a worker that does its jobs, until the process ends. */
export function serveQueue(
  { config, log, lifecycle, keys }: WorkerParts,
  name: QueueName,
  work: (job: QueuedJob) => Promise<void>,
  options: WorkerOptions = {},
): ReturnType<typeof openQueue> {
  const connection = connectQueue(config.REDIS_URL, log);
  lifecycle.opened(`queue connection ${name}`, () => connection.disconnect());
  const queue = openQueue(name, connection, keys);
  queue.on('error', (error) => log.warn({ event: 'queue_error', queue: name, reason: reason(error) }));
  lifecycle.opened(`queue ${name}`, () => queue.close());
  const worker = openWorker(name, connection, keys, work, options);
  worker.on('error', (error) => log.warn({ event: 'worker_error', queue: name, reason: reason(error) }));
  worker.on('failed', (job, error) => log.warn({ event: 'job_failed', queue: name, job: job?.name, reason: reason(error) }));
  // Without Redis no job can be waited for: it comes again elsewhere.
  lifecycle.opened(`worker ${name}`, () => worker.close(connection.status !== 'ready'));
  return queue;
}
