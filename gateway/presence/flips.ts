import pLimit from 'p-limit';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { Attached } from '../../shared/redis/inboxes/devices.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { retries, retryPauseMs } from '../../shared/timing/retry.ts';

const settledAtOnce = 64;
/** A user whose absence could not be told so often is left to the renewals of the gateways that watch it. */
const mostAttempts = 10;

/**
 * Tells when users of this gateway go offline. The script that attaches a device tells when they come.
 *
 *   last route gone ──afterMs──▶ settle ──▶ told, or a device is there, or it was there later: ask again then
 *         └── a hello here: nothing is to be told
 */
export function createFlips(parts: {
  inboxes: Pick<Inboxes, 'settlePresence'>;
  shardOf: (user: string) => number;
  serves: () => boolean;
  afterMs: number;
  metrics: Pick<Metrics, 'presenceFlips'>;
  log: Logger;
}) {
  const { inboxes, shardOf, serves, afterMs, metrics, log } = parts;
  const limit = pLimit(settledAtOnce);
  const waiting = new Map<string, NodeJS.Timeout>();
  /** Shards in which a hello renewed a lapsed lease since the last renewal. */
  const lapsed = new Set<number>();

  function settleIn(user: string, ms: number, attempt = 1): void {
    clearTimeout(waiting.get(user));
    const due = (): void => {
      waiting.delete(user);
      void limit(() => settle(user, attempt));
    };
    waiting.set(user, setTimeout(due, ms));
  }

  async function settle(user: string, attempt: number): Promise<void> {
    try {
      const { again, told } = await inboxes.settlePresence(user, afterMs);
      if (told) metrics.presenceFlips.inc({ to: 'offline' });
      if (again > 0) settleIn(user, Math.min(again, afterMs));
    } catch (thrown) {
      log.debug({ event: 'presence_not_settled', user, reason: reason(thrown) });
      if (attempt < mostAttempts && !waiting.has(user))
        settleIn(user, retryPauseMs(retries.presence, attempt), attempt + 1);
    }
  }

  return {
    /** A device of a user has said hello here. */
    came(user: string, { isFirst, leaseLapsed }: Pick<Attached, 'isFirst' | 'leaseLapsed'>): void {
      clearTimeout(waiting.get(user));
      waiting.delete(user);
      if (!serves()) return;
      if (isFirst) metrics.presenceFlips.inc({ to: 'online' });
      if (leaseLapsed) lapsed.add(shardOf(user));
    },

    /** A connection has ended, and its user has no live route. */
    left(user: string): void {
      if (serves()) settleIn(user, afterMs);
    },

    /** Whether a hello renewed a lapsed lease in a shard since this was asked. */
    takeLapsed: (shard: number): boolean => lapsed.delete(shard),
    noteLapsed: (shard: number): void => void lapsed.add(shard),

    stop(): void {
      for (const timer of waiting.values()) clearTimeout(timer);
      waiting.clear();
    },
  };
}

export type Flips = ReturnType<typeof createFlips>;
