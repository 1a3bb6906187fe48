import type { JobQueue } from './queues.ts';

/**
 * Both ends of the queue `delivery`. A job stands for one device that has not received in time what was pushed to it,
 * up to a position; the device's user and its name are its id, so there is never a second one. It holds as little as
 * possible, and comes again without having failed: there may be as many as there are devices online, and reasons and
 * stacks would double each.
 */
export type Delivery = [user: string, device: string, upTo: number];

/** What a job of the queue is called that is one; the queue has others of its own. */
export const deliveryJob = 'push';

/** Ids of users and devices hold no point. */
const deliveryId = (user: string, device: string): string => `d.${user}.${device}`;

/** Adds jobs for devices that have none. */
export async function addDeliveries(queue: JobQueue, deliveries: Delivery[]): Promise<void> {
  await queue.addBulk(
    deliveries.map((data) => ({
      name: deliveryJob,
      data,
      opts: { jobId: deliveryId(data[0], data[1]) },
    })),
  );
}

/** How often the job of a device has tried; null when it has none. */
export async function deliveryAttempts(queue: JobQueue, user: string, device: string): Promise<number | null> {
  return (await queue.getJob(deliveryId(user, device)))?.attemptsStarted ?? null;
}

/** Takes a job out, if there is one and nobody is at it. */
export async function dropDelivery(queue: JobQueue, user: string, device: string): Promise<void> {
  await queue.remove(deliveryId(user, device));
}
