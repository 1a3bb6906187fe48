import type { JobQueue } from './queues.ts';

/**
 * A job of the queue `delivery`: one device has not received in time what was pushed to it, up to a position. User and
 * device make its id, so there is never a second one. It holds as little as possible and comes again without having
 * failed: there may be a job for every device online, and reasons and stacks would double each.
 */
export type RedeliveryJob = [user: string, device: string, upTo: number];

/** The name of such a job; the queue has other jobs too. */
export const redeliveryJobName = 'push';

/** Ids of users and devices contain no dot. */
const redeliveryId = (user: string, device: string): string => `d.${user}.${device}`;

/** Adds jobs for devices that have none. */
export async function addRedeliveries(queue: JobQueue, jobs: RedeliveryJob[]): Promise<void> {
  await queue.addBulk(
    jobs.map((data) => ({
      name: redeliveryJobName,
      data,
      opts: { jobId: redeliveryId(data[0], data[1]) },
    })),
  );
}

/** The attempts that the job of a device has begun; null if the device has none. */
export async function redeliveryAttempts(queue: JobQueue, user: string, device: string): Promise<number | null> {
  return (await queue.getJob(redeliveryId(user, device)))?.attemptsStarted ?? null;
}

/** Removes the job of a device, if there is one and no worker runs it. */
export async function dropRedelivery(queue: JobQueue, user: string, device: string): Promise<void> {
  await queue.remove(redeliveryId(user, device));
}
