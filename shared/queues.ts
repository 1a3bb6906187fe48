import { type Job, Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Keys } from './redis/keys.ts';

/**
 * The BullMQ queues. `compaction` has one job, `trim`: it trims the message streams below what every group has settled. `dead-letter`
 * has a job for each replay that was asked for, `notify` one for each digest.
 */
export type QueueName = 'compaction' | 'dead-letter' | 'notify';

/** Finished jobs are kept for a look, not for ever. */
const kept = { removeOnComplete: { age: 3600, count: 100 }, removeOnFail: { age: 7 * 86_400, count: 1000 } };

export const openQueue = (name: QueueName, connection: Redis, keys: Keys): Queue =>
  new Queue(name, {
    connection, prefix: keys.queuePrefix(name), defaultJobOptions: kept, streams: { events: { maxLen: 1000 } },
  });

/** A job at work. `attemptsMade` counts those that failed before. */
export type QueuedJob = Pick<Job, 'id' | 'name' | 'data' | 'attemptsMade' | 'opts'>;

/**
 * `pause`: ms before a job with the backoff `custom` is tried again, after so many failed attempts. `failed` hears of a job that is
 * not tried again.
 */
export type WorkerOptions = { concurrency?: number; pause?: (attemptsMade: number) => number; failed?: (job: QueuedJob, error: Error) => void };

/** A worker whose job may survive several crashes of its process before it counts as failed. */
export const openWorker = (
  name: QueueName, connection: Redis, keys: Keys, work: (job: QueuedJob) => Promise<void>, { concurrency = 1, pause, failed }: WorkerOptions = {},
): Worker => {
  const worker = new Worker(name, work, {
    connection, prefix: keys.queuePrefix(name), concurrency, lockDuration: 30_000, maxStalledCount: 5,
    ...(pause === undefined ? {} : { settings: { backoffStrategy: pause } }),
  });
  worker.on('failed', (job, error) => {
    if (job?.finishedOn !== undefined) failed?.(job, error);
  });
  return worker;
};
