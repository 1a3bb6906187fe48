import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPace, type Pace } from '../../../../workers/archive/pace.ts';

/** How long the archive waits after a batch: not at all for who waits for it, and longer where that saves work. */

let time = 0;
let pace: Pace;

beforeEach(() => {
  time = 0;
  pace = createPace(
    { state: () => Promise.resolve(null as never), noteStore: () => Promise.resolve() },
    () => [],
    { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    { contained: (_, run) => run },
    () => time,
  );
});
afterEach(() => pace.stop());

test('waits after every batch that is not full, while nobody waits for it', () => {
  const { entries, ...pause } = pace.limits(0);
  expect(pause).toEqual({ pauseFrom: 1, pauseTo: entries - 1, pauseMs: 100 });
});

test('waits only after large batches, for ten seconds, once somebody waited for its partition', () => {
  pace.awaited(0);
  expect(pace.limits(0)).toMatchObject({ pauseFrom: 40, pauseMs: 50 });
  expect(pace.limits(1)).toMatchObject({ pauseFrom: 1 });
  time += 9_999;
  expect(pace.limits(0)).toMatchObject({ pauseFrom: 40 });
  pace.awaited(0);
  time += 9_999;
  expect(pace.limits(0)).toMatchObject({ pauseFrom: 40 });
  time += 1;
  expect(pace.limits(0)).toMatchObject({ pauseFrom: 1 });
});
