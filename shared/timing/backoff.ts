/**
 * The pause before attempt n (1, 2, …) of anything that is retried: exponential from `firstMs` to `mostMs`, with jitter
 * over its upper half so that many do not come back together. Milliseconds.
 */
export const backoff = (attempt: number, firstMs: number, mostMs: number, random: () => number = Math.random): number =>
  Math.min(firstMs * 2 ** Math.min(attempt - 1, 30), mostMs) * (0.5 + random() / 2);
