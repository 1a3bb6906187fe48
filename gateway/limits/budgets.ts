import { Refusal } from '../../shared/model/errors.ts';
import {
  type OwnBudget,
  ownBudgets,
  type RateLimit,
  type RateLimits,
  type SharedBudget,
} from '../../shared/model/rate-limits.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { SharedBudgets } from '../../shared/redis/rate-budgets.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import { createLeakyBuckets, type LeakyBuckets } from './leaky-buckets.ts';

/** Whose budget it is. A back end has none. */
export type Spender = { readonly user: string; readonly service: boolean };

/**
 * Frames that are refused as `rate_limited` count as well: so many times `frame` of them, and the client does not
 * listen.
 */
const refusedTimesFrame = 10;

const times = (limit: RateLimit | null, factor: number): RateLimit | null =>
  limit && { ...limit, most: limit.most * factor };

/**
 * What users may do how often. The names are those of RATE_LIMITS; `send` is SEND_RATE_PER_USER, in bursts of twice
 * that.
 */
export function createBudgets(
  limits: RateLimits,
  sendsPerSecond: number,
  shared: SharedBudgets,
  metrics: Pick<Metrics, 'limited'>,
  now = monotonicMs,
) {
  const own = Object.fromEntries(ownBudgets.map((name) => [name, createLeakyBuckets(limits[name], now)])) as Record<
    OwnBudget | 'send',
    LeakyBuckets
  >;
  own.send = createLeakyBuckets(sendsPerSecond === 0 ? null : { most: sendsPerSecond * 2, periodMs: 2000 }, now);
  const refusals = createLeakyBuckets(times(limits.frame, refusedTimesFrame), now);

  function mustHaveRoom(name: OwnBudget | SharedBudget | 'send', waitMs: number): void {
    if (waitMs === 0) return;
    metrics.limited.inc({ budget: name });
    throw new Refusal(
      'rate_limited',
      name === 'send' ? 'too many messages' : `too many requests of this kind (${name})`,
      { retryAfterMs: waitMs },
    );
  }

  return {
    /** Takes one from a budget of this gateway. Throws `rate_limited` with the time after which there is room. */
    take(name: OwnBudget | 'send', { user, service }: Spender): void {
      if (!service) mustHaveRoom(name, own[name].take(user));
    },

    /** Takes one from a budget over all gateways. Rejects with `rate_limited`, or `retry_later`. */
    async takeShared(name: SharedBudget, { user, service }: Spender): Promise<void> {
      const limit = limits[name];
      if (!service && limit !== null) mustHaveRoom(name, await shared.take(name, user, limit));
    },

    /**
     * Counts a frame that was refused. False when there have been too many: of those that are none, are not served or
     * name what cannot be, as many as `frame` allows; of those refused for a budget, a multiple.
     */
    tolerates(code: Refusal['code'], { user, service }: Spender): boolean {
      if (service) return true;
      const bucket =
        code === 'rate_limited' ? refusals : code === 'bad_frame' || code === 'bad_request' ? own.frame : null;
      if (bucket === null || bucket.take(user) === 0) return true;
      metrics.limited.inc({ budget: 'frame' });
      return false;
    },

    sweep(): void {
      for (const buckets of [...Object.values(own), refusals]) buckets.sweep();
    },
  };
}

export type Budgets = ReturnType<typeof createBudgets>;
