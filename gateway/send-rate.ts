import { monotonicMs } from '../shared/clocks.ts';
import { Refusal } from '../shared/errors.ts';

/**
 * A token bucket for each user of this gateway: `perSecond` messages, bursts of twice that. 0 turns it off. Throws
 * `rate_limited` with the time after which the next message has room.
 */
export function createSendRate(perSecond: number, now = monotonicMs) {
  const burst = perSecond * 2;
  const buckets = new Map<string, { tokens: number; at: number }>();

  return {
    take(user: string): void {
      if (perSecond === 0) return;
      const time = now();
      let bucket = buckets.get(user);
      if (bucket === undefined) buckets.set(user, (bucket = { tokens: burst, at: time }));
      bucket.tokens = Math.min(burst, bucket.tokens + ((time - bucket.at) * perSecond) / 1000);
      bucket.at = time;
      if (bucket.tokens < 1) {
        throw new Refusal('rate_limited', 'too many messages', { retryAfterMs: Math.ceil(((1 - bucket.tokens) * 1000) / perSecond) });
      }
      bucket.tokens -= 1;
    },
    /** Forgets full buckets. */
    sweep(): void {
      const time = now();
      for (const [user, { tokens, at }] of buckets) {
        if (tokens + ((time - at) * perSecond) / 1000 >= burst) buckets.delete(user);
      }
    },
  };
}

export type SendRate = ReturnType<typeof createSendRate>;
