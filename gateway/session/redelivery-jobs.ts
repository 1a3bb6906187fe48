import pLimit from 'p-limit';
import type { JobQueue } from '../../shared/jobs/queues.ts';
import { addRedeliveries, type RedeliveryJob, dropRedelivery } from '../../shared/jobs/redelivery-queue.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { SessionState } from './session-parts.ts';

/** Maximum calls that wait while Redis is away. More are dropped: sessions ask again later. */
const mostWaiting = 10_000;
const callsAtOnce = 16;
const mostInCall = 500;

/**
 * Asks for redelivery jobs, which have unreceived items pushed again. A job goes on when this gateway is gone and the
 * device is connected elsewhere. Requests of one turn of the event loop go to the queue together.
 *
 * Cancelling only saves work: a job whose device has received ends by itself.
 */
export function createRedeliveryJobs(queue: JobQueue, log: Logger, faults: Faults) {
  const limit = pLimit(callsAtOnce);
  let asked: RedeliveryJob[] = [];

  const enqueue = (call: () => Promise<void>): void => {
    if (limit.pendingCount >= mostWaiting) return;
    limit(call).catch((thrown: unknown) => log.warn({ event: 'delivery_queue_failed', reason: reason(thrown) }));
  };

  const flush = faults.contained('timer', () => {
    const all = asked;
    asked = [];
    for (let i = 0; i < all.length; i += mostInCall)
      enqueue(() => addRedeliveries(queue, all.slice(i, i + mostInCall)));
  });

  return {
    requestRedelivery({ user, device, sent }: SessionState): void {
      if (asked.length === 0) setImmediate(flush);
      asked.push([user, device, sent]);
    },
    cancelRedelivery({ user, device }: SessionState): void {
      enqueue(() => dropRedelivery(queue, user, device));
    },
  };
}
