import { DelayedError, type Job, Queue, Worker } from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';
import type { Redis } from 'ioredis';
import type { Keys } from '../redis/keys.ts';
import { wallMs } from '../timing/clocks.ts';
import { type JobRetry, retries, retryPauseMs } from '../timing/retry.ts';

/**
 * The BullMQ queues. `compaction` has the scheduled parts of the compaction (compacting.ts), `dead-letter` a job for
 * each replay that was asked for, `delivery` a redelivery job for each device that has not received in time, `notify` a
 * job for each digest.
 */
export const queueNames = ['compaction', 'dead-letter', 'delivery', 'notify'] as const;

export type QueueName = (typeof queueNames)[number];

/**
 * Finished jobs are kept for a while, for operators to look at. Those of `delivery` are not kept: a kept job would stop
 * the device's next one. Their worker says so, since an option in each job would cost a third of its memory.
 */
const kept = { removeOnComplete: { age: 3600, count: 100 }, removeOnFail: { age: 7 * 86_400, count: 1000 } };
const notKept = { removeOnComplete: { count: 0 } };

export type JobQueue = Queue;

/**
 * `traced`: jobs carry OpenTelemetry contexts and are spans. Faults of the connection are logged by the connection
 * itself; without a listener here BullMQ would write them to the console.
 */
export function openQueue(name: QueueName, connection: Redis, keys: Keys, traced = false): JobQueue {
  const queue = new Queue(name, {
    ...(traced ? { telemetry: new BullMQOtel({ tracerName: 'restante' }) } : {}),
    connection,
    prefix: keys.queuePrefix(name),
    ...(name === 'delivery' ? {} : { defaultJobOptions: kept }),
    streams: { events: { maxLen: 1000 } },
  });
  queue.on('error', () => undefined);
  return queue;
}

/** BullMQ's order of delayed jobs: the moment (ms) times this, and a counter. */
const delayedStep = 0x1000;
const takenAtOnce = 1000;

/**
 * Runs jobs now that are delayed to after `moment` (ms since 1970, by this process' clock, as BullMQ has it). Jobs of
 * schedules stay.
 */
export async function takeDelayed(queue: JobQueue, redis: Redis, moment: number): Promise<void> {
  const delayed = queue.toKey('delayed');
  const ids = await redis.zrangebyscore(delayed, moment * delayedStep, '+inf', 'LIMIT', 0, takenAtOnce);
  for (const id of ids.filter((one) => !one.startsWith('repeat:'))) {
    // Another process may have taken it meanwhile.
    await (await queue.getJob(id))?.promote().catch(() => undefined);
  }
}

/**
 * A process that is silent for this long loses its jobs to others (ms). Every job is short, and doing it twice has one
 * effect.
 */
const lockMs = 15_000;
const stalledEveryMs = 5000;

/** Options of a job that BullMQ retries by itself; for curves without cap and jitter. */
export const exponentialBackoff = ({ attempts, firstMs }: JobRetry) => ({
  attempts,
  backoff: { type: 'exponential', delay: firstMs },
});

/** A job at work. `attemptsMade` counts failed attempts, `attemptsStarted` all of them and the present one. */
export type QueuedJob = Pick<Job, 'id' | 'name' | 'data' | 'attemptsMade' | 'attemptsStarted' | 'opts'>;

/** The answer of a job that has not failed and must come again. */
export type Again = { againInMs: number };

/** A job that failed for good, as the queue keeps it. */
export type FailedJob = Pick<
  Job,
  'id' | 'name' | 'data' | 'attemptsMade' | 'failedReason' | 'finishedOn' | 'repeatJobKey' | 'remove'
>;

/**
 * `pause`: ms before a job with backoff `custom` is retried, by its failed attempts. `failed` is called for a job that
 * is not retried.
 */
export type WorkerOptions = {
  traced?: boolean;
  concurrency?: number;
  pause?: (attemptsMade: number) => number;
  failed?: (job: QueuedJob, error: Error) => void;
};

/** A worker whose job may survive several crashes of its process before it counts as failed. */
export function openWorker(
  name: QueueName,
  connection: Redis,
  keys: Keys,
  work: (job: QueuedJob) => Promise<Again | void>,
  { traced = false, concurrency = 1, pause, failed }: WorkerOptions = {},
): Worker {
  const carryOut = async (job: Job, token?: string): Promise<void> => {
    const again = await work(job);
    if (again === undefined) return;
    await job.moveToDelayed(wallMs() + again.againInMs, token);
    throw new DelayedError();
  };
  const worker = new Worker(name, carryOut, {
    ...(traced ? { telemetry: new BullMQOtel({ tracerName: 'restante' }) } : {}),
    connection,
    prefix: keys.queuePrefix(name),
    concurrency,
    lockDuration: lockMs,
    stalledInterval: stalledEveryMs,
    maxStalledCount: 5,
    runRetryDelay: retryPauseMs(retries.jobFetch, 1),
    ...(name === 'delivery' ? notKept : {}),
    ...(pause === undefined ? {} : { settings: { backoffStrategy: pause } }),
  });
  worker.on('failed', (job, error) => {
    if (job?.finishedOn !== undefined) failed?.(job, error);
  });
  return worker;
}
