import { describe, expect, test } from 'vitest';
import { check, invariants } from '../../../../../tools/rehearsal/chaos/checker/check.ts';
import type { Recorded } from '../../../../../tools/rehearsal/chaos/recording.ts';
import { mutations } from '../../../../support/chaos/mutations.ts';
import { PlayedRun } from './played-run.ts';
import { cleanRun, lossyRun } from './played-runs.ts';

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

test('an answer that a slow client reads when others know the next epoch was given before it', () => {
  const run = new PlayedRun();
  run.createGroup('team', ['alice', 'bob']);
  for (const user of ['alice', 'bob']) run.connect(user, 'phone');
  run.send('alice', 'phone', { conversation: 'team' }, 'kept');
  run.send('alice', 'phone', { conversation: 'team' }, 'lost');
  run.lose('team', 1);
  for (const user of ['bob', 'alice']) run.connect(user, 'phone');
  const events = run.end();
  const isLate = (event: Recorded): boolean =>
    'client' in event &&
    event.client.user === 'alice' &&
    event.client.connection === 1 &&
    (event.type === 'closed' || (event.type === 'received' && /"accepted".*"seq":2/.test(event.text)));
  const late = events.filter(isLate);
  expect(late.map(({ type }) => type)).toEqual(['received', 'closed']);
  const others = events.filter((event) => !isLate(event));
  const back = others.findIndex(
    (event) => event.type === 'opened' && event.client.user === 'alice' && event.client.connection === 2,
  );
  const read = [...others.slice(0, back), ...late, ...others.slice(back)];
  const found = check(read.map((event, index) => ({ ...event, line: index + 1 })));
  expect(found).toMatchObject({ violations: [], counts: { lost: 1, epochChanges: 1 } });
});
