import { hash } from 'node:crypto';
import type { QueuedJob } from '../../shared/jobs/queues.ts';
import type { DeadLetter } from '../../shared/model/dead-letter.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { DeadLetters } from '../../shared/redis/dead-letters.ts';
import type { Waiting } from '../../shared/redis/inboxes/waiting.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { Channel } from './channels/channel.ts';
import type { Digest } from './digest.ts';

/** A user to notify of the inbox up to position `head`. What is unread is read when the job runs. */
export type Notification = { user: string; head: number };

/** The name of such a job; the queue has other jobs too. */
export const notificationJobName = 'digest';

/** Id of the job and of its call, the same at every attempt. Never an integer: BullMQ keeps those to itself. */
export const notificationId = ({ user, head }: Notification): string => `n_${user}_${head}`;

/** The dead letter of a notification that used up its attempts; its id fits the pattern of ids. */
export function letterOf({ user, head }: Notification, attempts: number, error: string): DeadLetter {
  const plain = `notify-${user}-${head}`;
  const id = plain.length <= 64 ? plain : `notify-${hash('sha256', plain, 'base64url')}`;
  return { id, reason: 'unnotified', at: wallMs(), attempts, error, subject: { user, head } };
}

/**
 * Tells a user's unread messages through every channel. Nothing is told if the user received or read them meanwhile, or
 * if a later notification is due, which says the same and more.
 *
 * Every failure is repeated, a 4xx too: receivers answer so while they are set up. The last attempt leaves a dead
 * letter before it fails, so a crash in between repeats the attempt and never drops the letter.
 */
export function createNotificationJobs(parts: {
  waiting: Pick<Waiting, 'peek'>;
  digest: (user: string) => Promise<Digest | null>;
  channels: readonly Channel[];
  deadLetters: Pick<DeadLetters, 'add'>;
  metrics: Pick<Metrics, 'notifications'>;
  log: Logger;
}) {
  const { waiting, digest, channels, deadLetters, metrics, log } = parts;

  async function tell(about: Notification): Promise<'sent' | 'received' | 'superseded' | 'read'> {
    const found = await waiting.peek(about.user, about.head);
    if (found === 'closed') throw new Error('an inbox shard is not open');
    if (found !== 'wanted') return found;
    const unread = await digest(about.user);
    if (unread === null) return 'read';
    for (const channel of channels) await channel.post(notificationId(about), unread);
    return 'sent';
  }

  async function bury(about: Notification, attempts: number, thrown: unknown): Promise<void> {
    if (!(await deadLetters.add(letterOf(about, attempts, reason(thrown))))) return;
    metrics.notifications.inc({ result: 'dead' });
    log.error({ event: 'unnotified', user: about.user, head: about.head, attempts, reason: reason(thrown) });
  }

  return {
    async work({ data, attemptsMade, opts }: QueuedJob): Promise<void> {
      const about = data as Notification;
      try {
        metrics.notifications.inc({ result: await tell(about) });
      } catch (thrown) {
        metrics.notifications.inc({ result: 'failed' });
        const attempts = attemptsMade + 1;
        if (attempts >= (opts.attempts ?? 1)) await bury(about, attempts, thrown);
        throw thrown;
      }
    },

    /** A job that crashed its process too often fails without a last attempt, so its letter is written here. */
    failed({ name, data, attemptsMade }: QueuedJob, error: Error): void {
      if (name !== notificationJobName) return;
      bury(data as Notification, attemptsMade, error).catch((thrown) => {
        log.error({ event: 'dead_letter_failed', ...(data as Notification), reason: reason(thrown) });
      });
    },
  };
}
