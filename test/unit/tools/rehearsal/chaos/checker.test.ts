import { describe, expect, test } from 'vitest';
import { check, invariants } from '../../../../../tools/rehearsal/chaos/checker/check.ts';
import { mutations } from '../../../../support/chaos/mutations.ts';
import { cleanRun, lossyRun } from './played-run.ts';

/** The checker is proved by faults: each is planted into a recording without one, and must be named. */

test('finds nothing in runs without a fault', () => {
  const clean = check(cleanRun());
  expect(clean).toMatchObject({ violations: [], total: 0, counts: { lost: 0, leaked: 0, epochChanges: 0 } });
  expect(clean.counts.delivered).toBeGreaterThan(40);
  const lossy = check(lossyRun());
  expect(lossy).toMatchObject({ violations: [], total: 0, counts: { lost: 2, epochChanges: 1, falseAlarms: 0 } });
});

describe('names the broken invariant, and no other, for', () => {
  test.each(mutations)('$name', ({ plant, breaks, also = [], needsLoss }) => {
    const planted = plant(needsLoss === true ? lossyRun() : cleanRun());
    expect(planted).not.toBeNull();
    const { violations } = check(planted!);
    const named = violations.filter(({ invariant }) => invariant === breaks);
    expect(named).not.toEqual([]);
    for (const { evidence } of named) expect(evidence).not.toEqual([]);
    expect(violations.filter(({ invariant }) => invariant !== breaks && !also.includes(invariant))).toEqual([]);
  });
});

test('has a fault for every invariant', () => {
  expect(new Set(mutations.map(({ breaks }) => breaks))).toEqual(new Set(Object.keys(invariants)));
});
