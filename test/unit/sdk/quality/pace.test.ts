import { expect, test } from 'vitest';
import { newEstimate, withFailure, type Estimate } from '../../../../sdk/src/quality/estimate.ts';
import { paceOf, type Pace } from '../../../../sdk/src/quality/pace.ts';

/** The numbers for each quality. */

const around = { now: 1e12, visible: true, receiveWithinMs: 5000 };
const withRate = (rate: number | null, more: Partial<Estimate> = {}): Estimate => ({ ...newEstimate(), rate, ...more });
const fast = withRate(1e6);

test.each([
  ['good', { backlogItems: 200, historyItems: 50, lanes: 16, perLane: 8, checkMs: 60_000, holdMs: 75, holdLow: false }],
  ['poor', { backlogItems: 60, historyItems: 30, lanes: 4, perLane: 8, checkMs: 20_000, holdMs: 200, holdLow: false }],
  ['bad', { backlogItems: 20, historyItems: 15, lanes: 1, perLane: 2, checkMs: 30_000, holdMs: 500, holdLow: true }],
] satisfies [Estimate['level'], Partial<Pace>][])('on a %s network', (quality, numbers) => {
  expect(paceOf(quality, fast, around)).toMatchObject(numbers);
});

test('without a connection the numbers are those of a bad network', () => {
  expect(paceOf('offline', fast, around)).toEqual(paceOf('bad', fast, around));
});

test('a page of the backlog is as long as one and a half seconds carry, the first one short', () => {
  const items = (quality: Estimate['level'], rate: number | null): number =>
    paceOf(quality, withRate(rate), around).backlogItems;
  expect(items('good', null)).toBe(20);
  expect(items('good', 20_000)).toBe(60);
  expect(items('poor', 5000)).toBe(15);
  expect(items('bad', 100)).toBe(5);
  expect(paceOf('good', withRate(20_000, { itemLength: 3000 }), around).backlogItems).toBe(10);
});

test('a request has longer on a network that takes longer', () => {
  const timeout = (quality: Estimate['level'], rttMs: number): number =>
    paceOf(quality, withRate(1e6, { rttMs }), around).requestTimeoutMs;
  expect([timeout('good', 100), timeout('poor', 400), timeout('poor', 1400), timeout('bad', 2000)]).toEqual([
    10_000, 10_000, 11_200, 30_000,
  ]);
});

test('a poor network is tried more often, unless it fails again and again', () => {
  const failing = Array.from({ length: 8 }).reduce<Estimate>((estimate) => withFailure(estimate, 1e12), fast);
  expect(paceOf('poor', fast, around).reconnect).toEqual({ minMs: 500, maxMs: 8000 });
  expect(paceOf('poor', failing, around).reconnect).toEqual({ minMs: 500, maxMs: 20_000 });
  expect(paceOf('poor', failing, { ...around, now: 1e12 + 301_000 }).reconnect.maxMs).toBe(8000);
  expect(paceOf('good', fast, around).reconnect).toEqual({ minMs: 500, maxMs: 20_000 });
});

test('a hidden page asks rarely or not at all, and holds nothing back', () => {
  const hidden = { ...around, visible: false };
  expect(paceOf('good', fast, hidden)).toMatchObject({ checkMs: 300_000, holdMs: 0 });
  expect(paceOf('bad', fast, hidden)).toMatchObject({ checkMs: null, holdMs: 0 });
});

test('`received` is never held back for long enough to be pushed again', () => {
  expect(paceOf('bad', fast, { ...around, receiveWithinMs: 1000 }).holdMs).toBe(250);
});
