import type { Redis } from 'ioredis';
import type { RateLimit, SharedBudget } from '../model/rate-limits.ts';
import { orRetryLater } from './failures.ts';
import type { Keys } from './keys.ts';
import { run } from './scripts.ts';

/** Budgets of users that count over all gateways. */
export const createSharedBudgets = (redis: Redis, keys: Keys) => ({
  /**
   * Takes one. Resolves 0, or, having taken nothing, the milliseconds after which there is room for one. Rejects with
   * `retry_later`.
   */
  async take(name: SharedBudget, user: string, { most, periodMs }: RateLimit): Promise<number> {
    return Number(await orRetryLater(run<number>(redis, 'spend-budget', [keys.budget(user, name)], [most, periodMs])));
  },
});

export type SharedBudgets = ReturnType<typeof createSharedBudgets>;
