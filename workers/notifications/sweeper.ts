import { setTimeout as pause } from 'node:timers/promises';
import pLimit from 'p-limit';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Waiting } from '../../shared/redis/inboxes/waiting.ts';
import type { Notification } from './notification-job.ts';

const reviewsAtOnce = 20;
const stopWithinMs = 1000;

/**
 * Looks every `everyMs` for users who are due and hands each to `add`. Several processes may do so at once: Redis makes
 * a user due for one of them. After a crash before `notified` the user is due again a window later.
 */
export function startSweeper(parts: {
  waiting: Waiting;
  add: (about: Notification) => Promise<void>;
  log: Logger;
  everyMs: number;
}) {
  const { waiting, add, log, everyMs } = parts;
  const limit = pLimit(reviewsAtOnce);
  const stopping = new AbortController();

  async function look(user: string): Promise<void> {
    if (stopping.signal.aborted) return;
    const found = await waiting.review(user);
    if (found.word !== 'due') return;
    await add({ user, head: found.head });
    await waiting.notified(user, found.head);
  }

  async function sweep(): Promise<void> {
    const looks = await Promise.allSettled((await waiting.due()).map((user) => limit(look, user)));
    const failed = looks.filter((one) => one.status === 'rejected');
    if (failed.length > 0)
      log.warn({ event: 'notify_sweep_failed', users: failed.length, reason: reason(failed[0]!.reason) });
  }

  const sweeping = (async () => {
    while (!stopping.signal.aborted) {
      await sweep().catch((thrown) => log.warn({ event: 'notify_sweep_failed', reason: reason(thrown) }));
      await pause(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();

  return {
    /** Resolves when the present sweep is done, or soon: while Redis is away a queue waits without end. */
    stop: async (): Promise<void> => {
      stopping.abort();
      await Promise.race([sweeping, pause(stopWithinMs, undefined, { ref: false })]);
    },
  };
}
