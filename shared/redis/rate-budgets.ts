import type { Redis } from 'ioredis';
import type { RateLimit, SharedBudget } from '../model/rate-limits.ts';
import { openReply, orRetryLater } from './failures.ts';
import type { Keys } from './keys.ts';
import { run } from './scripts.ts';

/** Budgets of users that count over all gateways. */
export const createSharedBudgets = (redis: Redis, keys: Keys) => ({
  /**
   * Takes one. Resolves 0, or, having taken nothing, the milliseconds after which there is room for one. Rejects with
   * `retry_later`.
   */
  async take(name: SharedBudget, user: string, { most, periodMs }: RateLimit): Promise<number> {
    const used = [keys.shardSlot(keys.shardOf(user)), keys.budget(user, name)];
    return orRetryLater(run<number | 'closed'>(redis, 'spend-budget', used, [most, periodMs]).then(openReply));
  },
});

export type SharedBudgets = ReturnType<typeof createSharedBudgets>;
