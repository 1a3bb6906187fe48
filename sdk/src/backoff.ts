/** The range of a wait in milliseconds. */
export type BackoffRange = { minMs: number; maxMs: number };

/**
 * Full jitter: anywhere between `minMs` and a ceiling that doubles with every attempt (0, 1, 2, …) up to `maxMs`.
 * Clients that lost the same gateway at the same moment come back spread over the whole range.
 */
export function fullJitter(attempt: number, range: BackoffRange, random: () => number = Math.random): number {
  const ceiling = Math.min(range.maxMs, range.minMs * 2 ** Math.min(attempt + 1, 30));
  return range.minMs + random() * Math.max(0, ceiling - range.minMs);
}
