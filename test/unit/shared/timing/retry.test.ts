import { describe, expect, test } from 'vitest';
import { jobRetries, type RetryCurve, retries, retryPauseMs } from '../../../../shared/timing/retry.ts';

const halfJitter: RetryCurve = { firstMs: 100, mostMs: 5000, jitter: 0.5 };
const series = (curve: RetryCurve, random: number, attempts = 8): number[] =>
  Array.from({ length: attempts }, (_, i) => retryPauseMs(curve, i + 1, () => random));

describe('a retry curve', () => {
  test('doubles up to its cap, with jitter over its upper half', () => {
    expect(series(halfJitter, 0)).toEqual([50, 100, 200, 400, 800, 1600, 2500, 2500]);
    expect(series(halfJitter, 0.5)).toEqual([75, 150, 300, 600, 1200, 2400, 3750, 3750]);
    for (const pause of series(halfJitter, 0.999_999)) expect(pause).toBeLessThan(5000);
  });

  test('is spread over all of its pause by full jitter, and is exact without jitter', () => {
    expect(series({ ...halfJitter, jitter: 1 }, 0, 3)).toEqual([0, 0, 0]);
    expect(series({ ...halfJitter, jitter: 1 }, 0.5, 3)).toEqual([50, 100, 200]);
    expect(series({ ...halfJitter, jitter: 0 }, 0.5, 3)).toEqual([100, 200, 400]);
  });

  test('stays finite after any number of attempts', () => {
    expect(retryPauseMs(halfJitter, 1_000_000, () => 0)).toBe(2500);
    for (const curve of Object.values(jobRetries)) expect(retryPauseMs(curve, 1_000_000)).toBeLessThan(Infinity);
  });
});

test.each(Object.entries({ ...retries, ...jobRetries }))('%s never pauses longer than its cap', (_, curve) => {
  for (const attempt of [1, 2, 5, 30]) {
    const longest = retryPauseMs(curve, attempt, () => 1);
    expect(longest).toBeLessThanOrEqual(curve.mostMs);
    expect(longest).toBeGreaterThan(0);
  }
});
