import { expect, test } from 'vitest';
import { fullJitter } from '../../../sdk/src/backoff.ts';

test('full jitter spans from the least to a ceiling that doubles', () => {
  const range = { minMs: 500, maxMs: 20_000 };
  const at = (attempt: number, chance: number): number => fullJitter(attempt, range, () => chance);
  expect([at(0, 0), at(0, 1), at(1, 1), at(4, 1), at(5, 1), at(99, 1), at(99, 0)]).toEqual([
    500, 1000, 2000, 16_000, 20_000, 20_000, 500,
  ]);
});
