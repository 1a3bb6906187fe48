import type { JobQueue } from '../../shared/jobs/queues.ts';
import { entryOf } from '../../shared/model/message-text.ts';
import { createLoading } from '../../shared/recovery/loading.ts';
import { createRefilling } from '../../shared/recovery/refilling.ts';
import { createInboxes, type Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { createWaiting } from '../../shared/redis/inboxes/waiting.ts';
import { sayNotifyAfter } from '../../shared/redis/notify-after.ts';
import { createSentPool } from '../../shared/redis/streams/sent-pool.ts';
import { jobRetries, type RetryCurve, retryPauseMs } from '../../shared/timing/retry.ts';
import { serveQueue } from '../jobs/serve-queue.ts';
import type { WorkerParts } from '../worker.ts';
import { configuredChannels } from './channels/configured.ts';
import { buildDigest } from './digest.ts';
import { createNotificationJobs, type Notification, notificationId, notificationJobName } from './notification-job.ts';
import { startSweeper } from './sweeper.ts';

const callsAtOnce = 20;
const sweepEveryMs = 1000;

/**
 * Notifies users who are away: a sweep finds them, a queue holds a job for each, and a worker tells the channels. Null
 * if the settings choose no channel: then only that is said to the other processes. `pauses` shortens the retries in
 * tests.
 */
export function startNotifying(
  parts: WorkerParts,
  pauses: Pick<RetryCurve, 'firstMs' | 'mostMs'> = jobRetries.notification,
): { notify: (about: Notification) => Promise<void>; queue: JobQueue } | null {
  const { config, redis, keys, log, lifecycle, metrics, deadLetters, history, deployment } = parts;
  const channels = configuredChannels(config);
  lifecycle.opened('notify after', sayNotifyAfter(redis, keys, config.notifyAfterMs));
  if (channels.length === 0) return null;
  const waiting = createWaiting(redis, keys, { afterMs: config.NOTIFY_AFTER_MS, windowMs: config.NOTIFY_WINDOW_MS });
  const loading = createLoading(
    history,
    deployment,
    createRefilling(history, createSentPool(redis, keys, config.dedupeMs)),
  );
  const inboxes: Inboxes = createInboxes(redis, keys, config, {
    load: (user) => loading.user(inboxes, parts.conversations, user),
    closed: parts.openAgain,
  });
  const jobs = createNotificationJobs({
    waiting,
    deadLetters,
    log,
    metrics,
    digest: (user) =>
      buildDigest(inboxes, user, (id) => {
        const { partition, streamId } = entryOf(id);
        deployment.evidence.seen(partition, streamId);
      }),
    channels,
  });
  const queue = serveQueue(parts, 'notify', jobs.work, {
    concurrency: callsAtOnce,
    pause: (attemptsMade) => Math.ceil(retryPauseMs({ ...jobRetries.notification, ...pauses }, attemptsMade)),
    longestPauseMs: pauses.mostMs,
    failed: jobs.failed,
  });

  // A failed job is not kept: its dead letter has everything, and the same job may be added again. Jobs with a priority
  // come after jobs without one, so the queue probe never waits behind jobs of a slow receiver.
  const notify = async (about: Notification): Promise<void> =>
    void (await queue.add(notificationJobName, about, {
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
