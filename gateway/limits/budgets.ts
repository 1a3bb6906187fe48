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

/** The user whose budgets are charged. A back end has no limits. */
export type Spender = { readonly user: string; readonly service: boolean };

/**
 * Frames refused as `rate_limited` are tolerated up to this multiple of the budget `frame`. A client with more of them
 * ignores its limits.
 */
const refusedTimesFrame = 10;

const times = (limit: RateLimit | null, factor: number): RateLimit | null =>
  limit && { ...limit, most: limit.most * factor };

/**
 * How often users may do things. The names are those of RATE_LIMITS. `send` is SEND_RATE_PER_USER, with bursts of twice
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
    /** Takes one from a budget of this gateway. Throws `rate_limited` with the time until there is room again. */
    take(name: OwnBudget | 'send', { user, service }: Spender): void {
      if (!service) mustHaveRoom(name, own[name].take(user));
    },

    /**
     * Takes one from a budget that all gateways share. Rejects with `rate_limited`, or with `retry_later` if Redis does
     * not answer.
     */
    async takeShared(name: SharedBudget, { user, service }: Spender): Promise<void> {
      const limit = limits[name];
      if (!service && limit !== null) mustHaveRoom(name, await shared.take(name, user, limit));
    },

    /**
     * Counts a refused frame. False if there were too many: more malformed or invalid frames than `frame` allows, or
     * more than a multiple of that refused for a budget.
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
