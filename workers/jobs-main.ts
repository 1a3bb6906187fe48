import { openQueue, openWorker } from '../shared/queues.ts';
import { connectQueue } from '../shared/redis/connect.ts';
import { reason } from '../shared/log.ts';
import { createTrimming } from './trimming.ts';
import { startWorker } from './worker.ts';

const trimEveryMs = 2000;

/** Process `jobs`: every BullMQ worker. */
await startWorker('jobs', process.env, async ({ config, log, lifecycle, metrics, redis, keys, deployment }) => {
  const connection = connectQueue(config.REDIS_URL, log);
  lifecycle.opened('queue connection', () => connection.disconnect());
  const queue = openQueue('compaction', connection, keys);
  queue.on('error', (error) => log.warn({ event: 'queue_error', reason: reason(error) }));
  lifecycle.opened('queue', () => queue.close());
  await queue.upsertJobScheduler('trim', { every: trimEveryMs }, { name: 'trim' });
  const worker = openWorker('compaction', connection, keys, createTrimming(redis, keys, metrics, log, deployment.open));
  worker.on('error', (error) => log.warn({ event: 'worker_error', reason: reason(error) }));
  worker.on('failed', (job, error) => log.warn({ event: 'job_failed', job: job?.name, reason: reason(error) }));
  // Without Redis no job can be waited for: it comes again elsewhere.
  lifecycle.opened('worker', () => worker.close(connection.status !== 'ready'));
});
