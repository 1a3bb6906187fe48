import { Refusal } from '../../shared/model/errors.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';

/** So many messages may be looked through for one user at once, so many again each second. */
const most = 100_000;
const perSecond = 10_000;
/** What a search costs that finds nothing to look through, in messages. */
const perSearch = 100;

/**
 * How much of the history is searched for the clientIds of one user. A search is never cut short: it may cost more than
 * is left, and the next one waits until that is made up for. So a clientId that is looked for again finds its answer in
 * the end, whatever that costs.
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
    /** Throws `rate_limited`, with the time after which there is something left, when there is nothing. */
    check(user: string): void {
      const { messages } = of(user);
      if (messages > 0) return;
      throw new Refusal('rate_limited', 'too many old clientIds had to be looked for', {
        retryAfterMs: Math.ceil(((1 - messages) * 1000) / perSecond),
      });
    },
    /** One search has looked through this many messages. */
    spend(user: string, messages: number): void {
      of(user).messages -= messages + perSearch;
    },
    /** Forgets users who have everything left. */
    sweep(): void {
      for (const user of left.keys()) if (of(user).messages >= most) left.delete(user);
    },
  };
}

export type LookupBudget = ReturnType<typeof createLookupBudget>;
