import { expect, test } from 'vitest';
import { backoff } from '../../../../shared/timing/backoff.ts';

const series = (random: number, attempts = 8): number[] =>
  Array.from({ length: attempts }, (_, i) => backoff(i + 1, 100, 5000, () => random));

test('doubles up to the cap, with jitter over the upper half', () => {
  expect(series(0)).toEqual([50, 100, 200, 400, 800, 1600, 2500, 2500]);
  expect(series(0.5)).toEqual([75, 150, 300, 600, 1200, 2400, 3750, 3750]);
  for (const pause of series(0.999_999)) expect(pause).toBeLessThan(5000);
});

test('stays finite however often something is tried', () => {
  expect(backoff(1_000_000, 100, 5000, () => 0)).toBe(2500);
});
