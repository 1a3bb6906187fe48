import type { JobQueue } from '../../shared/jobs/queues.ts';
import { createLoading } from '../../shared/recovery/loading.ts';
import { createRefilling } from '../../shared/recovery/refilling.ts';
import { createInboxes, type Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { createWaiting } from '../../shared/redis/inboxes/waiting.ts';
import { createSentPool } from '../../shared/redis/streams/sent-pool.ts';
import { jobRetries, type RetryCurve, retryPauseMs } from '../../shared/timing/retry.ts';
import { serveQueue } from '../jobs/serve-queue.ts';
import type { WorkerParts } from '../worker.ts';
import { createWebhook } from './channels/webhook.ts';
import { buildDigest } from './digest.ts';
import { createDelivery, type Notification, notificationId, notificationJob } from './notification-job.ts';
import { startSweeper } from './sweeper.ts';

const callsAtOnce = 20;
const sweepEveryMs = 1000;

/** Notifies users who are away: the sweep that finds them, the queue between, and the worker that calls the webhook. */
export function startNotifying(
  parts: WorkerParts,
  pauses: Pick<RetryCurve, 'firstMs' | 'mostMs'> = jobRetries.notification,
): { notify: (about: Notification) => Promise<void>; queue: JobQueue } {
  const { config, redis, keys, log, lifecycle, metrics, deadLetters, history, deployment } = parts;
  const waiting = createWaiting(redis, keys, { afterMs: config.NOTIFY_AFTER_MS, windowMs: config.NOTIFY_WINDOW_MS });
  const loading = createLoading(
    history,
    deployment,
    createRefilling(history, createSentPool(redis, keys, config.dedupeMs)),
  );
  const inboxes: Inboxes = createInboxes(redis, keys, config, {
    load: (user) => loading.user(inboxes, user),
    closed: () => void deployment.open().catch(lifecycle.fail),
  });
  const deliver = createDelivery({
    waiting,
    deadLetters,
    log,
    metrics,
    digest: (user) => buildDigest(inboxes, user),
    post: createWebhook(config.NOTIFY_URL, config.NOTIFY_SECRET),
  });
  const queue = serveQueue(parts, 'notify', deliver.work, {
    concurrency: callsAtOnce,
    pause: (attemptsMade) => Math.ceil(retryPauseMs({ ...jobRetries.notification, ...pauses }, attemptsMade)),
    longestPauseMs: pauses.mostMs,
    failed: deliver.failed,
  });

  // A failed one is not kept: its dead letter says all of it, and the same one may be added again. What has a priority
  // comes after what has none: however many wait for a slow receiver, the queue's canary does not wait for them.
  const notify = async (about: Notification): Promise<void> =>
    void (await queue.add(notificationJob, about, {
      jobId: notificationId(about),
      attempts: jobRetries.notification.attempts,
      backoff: { type: 'custom' },
      removeOnFail: true,
      priority: 1,
    }));
  const sweeper = startSweeper({ waiting, log, everyMs: sweepEveryMs, add: notify });
  lifecycle.opened('sweeper', sweeper.stop);
  return { notify, queue };
}
