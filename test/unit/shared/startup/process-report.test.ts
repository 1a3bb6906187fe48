import { expect, test } from 'vitest';
import { quantileMs } from '../../../../shared/startup/process-report.ts';

/** Counts as a histogram has them: each with those of all lower bounds in it. */
const counts = (...given: [number, number, number]) =>
  [0.001, 0.01, Infinity].map((upTo, i) => ({ upTo, count: given[i]! }));

test('finds the bound under which a share of an interval lies', () => {
  expect(quantileMs(counts(0, 0, 0), counts(98, 100, 100), 0.5)).toBe(1);
  expect(quantileMs(counts(0, 0, 0), counts(98, 100, 100), 0.99)).toBe(10);
});

test('does not count observations before the interval', () => {
  expect(quantileMs(counts(1000, 1000, 1000), counts(1000, 1010, 1010), 0.5)).toBe(10);
});

test('gives the last bound for values above it, and null for an empty interval', () => {
  expect(quantileMs(counts(0, 0, 0), counts(0, 0, 4), 0.5)).toBe(10);
  expect(quantileMs(counts(5, 5, 5), counts(5, 5, 5), 0.5)).toBeNull();
});
