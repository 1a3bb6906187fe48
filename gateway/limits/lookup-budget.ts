import { Refusal } from '../../shared/model/errors.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';

/** Messages that may be searched for one user at once. */
const most = 100_000;
/** Messages added to the budget each second. */
const perSecond = 10_000;
/** The least cost of a search, in messages. */
const perSearch = 100;

/**
 * Limits how much history is searched for the clientIds of one user. A search is never cut short: it may cost more than
 * is left, and then the next search is refused until the debt is paid off. So a clientId that is sent again always gets
 * its answer in the end.
 */
export function createLookupBudget(now = monotonicMs) {
  const left = new Map<string, { messages: number; at: number }>();

  function of(user: string): { messages: number; at: number } {
    const time = now();
    let found = left.get(user);
    if (found === undefined) left.set(user, (found = { messages: most, at: time }));
    found.messages = Math.min(most, found.messages + ((time - found.at) * perSecond) / 1000);
    found.at = time;
    return found;
  }

  return {
    /** Throws `rate_limited` if nothing is left, with the time until something is. */
    check(user: string): void {
      const { messages } = of(user);
      if (messages > 0) return;
      throw new Refusal('rate_limited', 'too many old clientIds had to be looked for', {
        retryAfterMs: Math.ceil(((1 - messages) * 1000) / perSecond),
      });
    },
    /** Charges one search of this many messages. */
    spend(user: string, messages: number): void {
      of(user).messages -= messages + perSearch;
    },
    /** Forgets users whose budget is full. */
    sweep(): void {
      for (const user of left.keys()) if (of(user).messages >= most) left.delete(user);
    },
  };
}

export type LookupBudget = ReturnType<typeof createLookupBudget>;
