import type { Clock } from '../platform/clock.ts';

/**
 * The server's rate of sends, kept here too, so that an outbox that empties itself is not refused. A rate of 0 is no
 * limit. Two seconds' worth may go at once.
 */
export function createBucket(clock: Clock, perSecond: () => number): { take(): boolean; waitMs(): number } {
  let left = Number.POSITIVE_INFINITY;
  let at = clock.now();

  const fill = (): number => {
    const rate = perSecond();
    const passed = Math.max(0, clock.now() - at);
    at = clock.now();
    left = Math.min(2 * rate, left + (passed / 1000) * rate);
    return rate;
  };

  return {
    take() {
      if (fill() === 0) return true;
      if (left < 1) return false;
      left--;
      return true;
    },
    waitMs: () => Math.ceil(((1 - left) / perSecond()) * 1000),
  };
}
