import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Keys } from './redis/keys.ts';

/** The BullMQ queues. `compaction` has one job, `trim`: it trims the message streams below what every group has settled. */
export type QueueName = 'compaction';

/** Finished jobs are kept for a look, not for ever. */
const kept = { removeOnComplete: { age: 3600, count: 100 }, removeOnFail: { age: 7 * 86_400, count: 1000 } };

export const openQueue = (name: QueueName, connection: Redis, keys: Keys): Queue =>
  new Queue(name, {
    connection, prefix: keys.queuePrefix(name), defaultJobOptions: kept, streams: { events: { maxLen: 1000 } },
  });

/** A worker whose job may survive several crashes of its process before it counts as failed. */
export const openWorker = (name: QueueName, connection: Redis, keys: Keys, work: (job: { name: string }) => Promise<void>): Worker =>
  new Worker(name, work, {
    connection, prefix: keys.queuePrefix(name), concurrency: 1, lockDuration: 30_000, maxStalledCount: 5,
  });
