import { monotonicMs } from '../../shared/timing/clocks.ts';
import { networkOf } from '../limits/client-address.ts';

/** Wrong tokens of one address without a pause: operators mistype, and tokens have at least 16 characters. */
const freeFailures = 20;
const firstPauseMs = 1000;
const longestPauseMs = 15_000;
/** An address that has not failed for this long is forgotten (ms). */
const forgetMs = 600_000;
/** Most addresses remembered. Beyond it, the one that failed longest ago is forgotten. */
const mostAddresses = 10_000;

/**
 * Slows down attempts to guess the admin token. From the 21st failure of an address on, each failure starts a pause of
 * 1, 2, 4, … at most 15 s. In a pause every token of that address is refused, even the right one: otherwise the pause
 * would not slow down guessing. Requests in a pause do not prolong it, so the right token waits for at most 15 s. Other
 * addresses are not affected.
 */
export function createLoginAttempts(now: () => number = monotonicMs) {
  const failures = new Map<string, { count: number; at: number }>();

  function recent(network: string): { count: number; at: number } | null {
    const found = failures.get(network);
    return found === undefined || now() - found.at > forgetMs ? null : found;
  }

  const pauseMs = (count: number): number =>
    count <= freeFailures ? 0 : Math.min(firstPauseMs * 2 ** (count - freeFailures - 1), longestPauseMs);

  return {
    /** Milliseconds until a token of this address is checked again; 0: now. */
    waitMs(address: string): number {
      const found = recent(networkOf(address));
      return found === null ? 0 : Math.max(0, found.at + pauseMs(found.count) - now());
    },

    /** A token of this address was wrong. Returns how many were wrong so far. */
    failed(address: string): number {
      const network = networkOf(address);
      const count = (recent(network)?.count ?? 0) + 1;
      // Kept in the order of the last failures.
      failures.delete(network);
      failures.set(network, { count, at: now() });
      if (failures.size > mostAddresses) failures.delete(failures.keys().next().value!);
      return count;
    },

    get size(): number {
      return failures.size;
    },
  };
}

export type LoginAttempts = ReturnType<typeof createLoginAttempts>;
