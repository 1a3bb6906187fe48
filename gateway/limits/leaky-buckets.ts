import type { RateLimit } from '../../shared/model/rate-limits.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';

/** Most users kept. Beyond it the oldest is forgotten, and so has a full budget again. */
const mostKept = 200_000;

/**
 * A leaky bucket for each user of this gateway. A user costs one number: the moment when its bucket is empty. `sweep`
 * forgets users whose moment has passed. A limit of null allows everything.
 */
export function createLeakyBuckets(limit: RateLimit | null, now = monotonicMs, most = mostKept) {
  const emptyAt = new Map<string, number>();
  const { periodMs } = limit ?? { periodMs: 0 };
  const eachMs = limit === null ? 0 : periodMs / limit.most;

  return {
    /**
     * Takes `count` from the user's budget and returns 0. If there is no room, takes nothing and returns the
     * milliseconds until there is.
     */
    take(user: string, count = 1): number {
      if (limit === null) return 0;
      const time = now();
      const known = emptyAt.get(user);
      const next = Math.max(known ?? 0, time) + eachMs * count;
      // A tolerance of a thousandth of a millisecond: rounding must not refuse the last one of a budget.
      const wait = next - time - periodMs;
      if (wait > 0.001) return Math.ceil(wait);
      if (known === undefined && emptyAt.size >= most) emptyAt.delete(emptyAt.keys().next().value!);
      emptyAt.set(user, next);
      return 0;
    },
    /** Forgets empty buckets. */
    sweep(): void {
      const time = now();
      for (const [user, moment] of emptyAt) if (moment <= time) emptyAt.delete(user);
    },
    /** Users with something in their bucket; until the next sweep also users whose bucket is empty by now. */
    get size(): number {
      return emptyAt.size;
    },
  };
}

export type LeakyBuckets = ReturnType<typeof createLeakyBuckets>;
