import { monotonicMs } from '../../shared/timing/clocks.ts';
import { networkOf } from '../limits/client-address.ts';

/** Wrong tokens of one address that cost nothing: operators mistype, and tokens have 16 characters at least. */
const freeFailures = 20;
const firstPauseMs = 1000;
const longestPauseMs = 15_000;
/** An address that has not failed for this long has a clean slate (ms). */
const forgetMs = 600_000;
/** Addresses that are remembered; beyond them the one that failed longest ago is forgotten. */
const mostAddresses = 10_000;

/**
 * Slows down who guesses the admin token. After 20 failures of an address each further one is followed by a pause of 1,
 * 2, 4, … at most 15 s, in which no token of that address is looked at, the right one neither: otherwise the pause
 * would slow nobody. What is asked in a pause does not prolong it, so the right token is heard after 15 s at most.
 * Other addresses are not concerned.
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
    /** Milliseconds until a token of this address is looked at again; 0: now. */
    waitMs(address: string): number {
      const found = recent(networkOf(address));
      return found === null ? 0 : Math.max(0, found.at + pauseMs(found.count) - now());
    },

    /** A token of this address was wrong. Answers how many were by now. */
    failed(address: string): number {
      const network = networkOf(address);
      const count = (recent(network)?.count ?? 0) + 1;
      // Kept in the order of their last failures.
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
