import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import { monotonicMs, wallMs } from '../../shared/timing/clocks.ts';
import type { States } from './states.ts';
import type { WatchedUser, WatchedUsers } from './watched-users.ts';

/** Users whose routes are read in one call. */
const mostInCall = 200;
const lookEveryMs = 500;
/** A user of a gateway that is gone has this long to come back elsewhere before anybody looks (ms). */
const comesBackMs = 10_000;
/** Looks after a loss of news are spread over this time, so that many gateways do not look at once (ms). */
const spreadMs = 10_000;
/** After a failure the same users are looked at again (ms). */
const againMs = 2000;

/**
 * Looks again at watched users where the channel may not have told the truth: a gateway of theirs is gone, the channel
 * was subscribed again, or a lapsed lease is there again. A crash costs a few calls of 200 users, spread over seconds.
 */
export function createChecks(watched: WatchedUsers, states: States, afterMs: number, log: Logger, faults: Faults) {
  /** When to look at whom, by the monotonic clock. */
  const due = new Map<string, number>();
  let running = false;

  const lookAt = (user: string, inMs: number): void => void (due.has(user) || due.set(user, monotonicMs() + inMs));
  const soon = (one: WatchedUser): void => {
    if (one.watchers.size > 0) lookAt(one.user, Math.random() * spreadMs);
  };

  /** Times of Redis are compared with this machine's clock: an error of it is an error of the damping alone. */
  const isRecent = (lastSeen: number): boolean => lastSeen <= wallMs() && wallMs() - lastSeen < afterMs;

  async function look(): Promise<void> {
    const now = monotonicMs();
    const ready = [...due].filter(([, at]) => at <= now).map(([user]) => user);
    for (let start = 0; start < ready.length; start += mostInCall) {
      const users = ready.slice(start, start + mostInCall);
      for (const user of users) due.delete(user);
      try {
        for (const user of await states.check(users, isRecent)) lookAt(user, Math.min(afterMs, againMs));
      } catch (thrown) {
        log.debug({ event: 'presence_check_failed', users: users.length, reason: reason(thrown) });
        for (const user of users) lookAt(user, againMs);
      }
    }
  }

  const timer = setInterval(
    faults.contained('timer', async () => {
      if (running || due.size === 0) return;
      running = true;
      await look().finally(() => (running = false));
    }),
    lookEveryMs,
  );

  return {
    /** The live gateways of a shard, as a renewal found them: users of others may be offline. */
    live(shard: number, gateways: readonly string[]): void {
      const there = new Set(gateways);
      for (const one of watched.inShard(shard)) {
        if (one.online && one.gateways.some((gateway) => !there.has(gateway)))
          lookAt(one.user, comesBackMs + Math.random() * spreadMs);
      }
    },

    /** A lapsed lease is there again: users of the shard may be online. */
    back(shard: number): void {
      for (const one of watched.inShard(shard)) soon(one);
    },

    /** News were lost. */
    all(): void {
      states.missedNews();
      for (const one of watched.all()) soon(one);
    },

    soon,

    stop: (): void => clearInterval(timer),
  };
}

export type Checks = ReturnType<typeof createChecks>;
