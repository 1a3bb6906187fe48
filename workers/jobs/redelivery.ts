import type { Redis } from 'ioredis';
import type { Again, QueuedJob } from '../../shared/jobs/queues.ts';
import type { RedeliveryJob } from '../../shared/jobs/redelivery-queue.ts';
import { receiveWithinMs } from '../../shared/model/limits.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { findDevice } from '../../shared/redis/inboxes/device-routes.ts';
import type { Keys } from '../../shared/redis/keys.ts';
import { againPayload } from '../../shared/redis/push-bus.ts';
import { jobRetries, retryPauseMs } from '../../shared/timing/retry.ts';

const { attempts } = jobRetries.redelivery;

/** The device has its time to receive the push; the backoff comes on top of it. */
const pauseAfter = (attempt: number): Again => ({
  againInMs: Math.ceil(receiveWithinMs + retryPauseMs(jobRetries.redelivery, attempt)),
});

/**
 * An attempt of a redelivery job: the gateway that holds the device now is told to push again, and the job comes again.
 * It ends when the device has received, or is connected nowhere; then the inbox keeps everything for the next hello.
 *
 * The session decides what is pushed and when the connection is given up. So an attempt that runs twice, or late, or
 * for an older connection, harms nothing.
 */
export function createRedelivering(redis: Redis, keys: Keys, metrics: Pick<Metrics, 'deliveries'>) {
  async function attempt([user, device, upTo]: RedeliveryJob): Promise<'away' | 'received' | 'pushed'> {
    const { route, position } = await findDevice(redis, keys, user, device);
    if (route === null) return 'away';
    // Even if it has received: the session does not know of a receipt by HTTP.
    await redis.publish(keys.push(route.gateway), againPayload(user, device, position));
    return position >= upTo ? 'received' : 'pushed';
  }

  return async ({ data, attemptsStarted }: QueuedJob): Promise<Again | void> => {
    const [user, device, upTo] = data as RedeliveryJob;
    // Redis being away says nothing about the device.
    const result = await attempt([user, device, upTo]).catch(() => 'failed' as const);
    metrics.deliveries.inc({ result: result === 'pushed' ? `attempt_${Math.min(attemptsStarted, attempts)}` : result });
    if ((result === 'pushed' || result === 'failed') && attemptsStarted < attempts) return pauseAfter(attemptsStarted);
  };
}
