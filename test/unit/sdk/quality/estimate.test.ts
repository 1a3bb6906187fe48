import { expect, test } from 'vitest';
import {
  newEstimate,
  withFailure,
  withItems,
  withRtt,
  withSend,
  withTransfer,
  type Estimate,
} from '../../../../sdk/src/quality/estimate.ts';

/** How samples become a level. Times are seconds here. */

type Step = (estimate: Estimate, now: number) => Estimate;

const rtt =
  (ms: number): Step =>
  (estimate, now) =>
    withRtt(estimate, ms, now);
const failure: Step = withFailure;
const transfer =
  (length: number, ms: number): Step =>
  (estimate, now) =>
    withTransfer(estimate, length, ms, now);

/** The level after each step, one every `seconds`. */
function levels(steps: Step[], seconds = 1, from = newEstimate()): string[] {
  let estimate = from;
  return steps.map((step, index) => (estimate = step(estimate, 1e12 + index * seconds * 1000)).level);
}

const times = <Thing>(count: number, thing: Thing): Thing[] => Array.from({ length: count }, () => thing);

test('is worse after two samples in a row, and not after one', () => {
  expect(levels([rtt(400), rtt(400)])).toEqual(['good', 'poor']);
  expect(levels([rtt(2000), rtt(2000)])).toEqual(['good', 'bad']);
  expect(levels([rtt(310), rtt(200), rtt(200), rtt(200)])).toEqual(times(4, 'good'));
});

test('is better after three samples in a row and ten seconds', () => {
  const poor = [rtt(400), rtt(400)].reduce((estimate, step, at) => step(estimate, 1e12 + at), newEstimate());
  expect(levels(times(8, rtt(10)), 1, poor).indexOf('good')).toBe(-1);
  expect(levels(times(14, rtt(10)), 1, poor).at(-1)).toBe('good');
  // The average needs two samples to be good: those from the second on speak for it.
  expect(levels(times(5, rtt(10)), 6, poor)).toEqual(['poor', 'poor', 'poor', 'good', 'good']);
});

test('one sample between is no change of mind', () => {
  const poor = [rtt(310), rtt(310)].reduce((estimate, step, at) => step(estimate, 1e12 + at), newEstimate());
  const steps = [rtt(200), rtt(200), rtt(600), rtt(600), rtt(200)];
  expect(levels(steps, 6, poor)).toEqual(times(5, 'poor'));
});

test('three failures in a minute are bad, and are forgotten after it', () => {
  expect(levels(times(4, failure))).toEqual(['good', 'poor', 'poor', 'bad']);
  expect(levels(times(6, failure), 40)).not.toContain('bad');
  const bad = times(4, failure).reduce((estimate, step, at) => step(estimate, at), newEstimate());
  const later = times(3, rtt(10)).reduce((estimate, step, at) => step(estimate, 61_000 + at * 5000), bad);
  expect(later.level).toBe('good');
});

test('less than 4 kB a second is bad', () => {
  expect(levels(times(2, transfer(3000, 1000)))).toEqual(['good', 'bad']);
  expect(levels(times(2, transfer(5000, 1000)))).toEqual(['good', 'good']);
});

test('a send is a sample only where it shows a shorter way', () => {
  const known = withRtt(newEstimate(), 400, 0);
  expect(withSend(known, 5000, 1)).toBe(known);
  expect(withSend(known, 100, 1).rttMs).toBe(340);
  expect(withSend(newEstimate(), 5000, 1).rttMs).toBe(null);
});

test('averages move by a fifth of the difference, and remembered failures are bounded', () => {
  const estimate = withRtt(withRtt(newEstimate(), 100, 0), 200, 1);
  expect(estimate.rttMs).toBe(120);
  expect(withItems(estimate, 2000, 2).itemLength).toBe(600);
  const many = times(100, failure).reduce((one, step, at) => step(one, at), estimate);
  expect(many.failures).toHaveLength(20);
});
