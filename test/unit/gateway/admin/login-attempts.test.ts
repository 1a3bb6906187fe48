import { expect, test } from 'vitest';
import { createGuesses } from '../../../../gateway/admin/login-attempts.ts';

test('after twenty failures the pauses of an address double up to fifteen seconds; others do not wait', () => {
  let now = 0;
  const guesses = createGuesses(() => now);
  for (let i = 1; i <= 20; i++) expect([guesses.waitMs('203.0.113.1'), guesses.failed('203.0.113.1')]).toEqual([0, i]);
  const pauses: number[] = [];
  for (let i = 0; i < 7; i++) {
    guesses.failed('203.0.113.1');
    pauses.push(guesses.waitMs('203.0.113.1'));
    expect(guesses.waitMs('::ffff:203.0.113.1')).toBe(pauses.at(-1));
    expect(guesses.waitMs('203.0.113.2')).toBe(0);
    now += pauses.at(-1)!;
    expect(guesses.waitMs('203.0.113.1')).toBe(0);
  }
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
});

test('ten minutes without a failure are a clean slate', () => {
  let now = 0;
  const guesses = createGuesses(() => now);
  for (let i = 0; i < 30; i++) guesses.failed('203.0.113.1');
  now += 600_001;
  expect([guesses.waitMs('203.0.113.1'), guesses.failed('203.0.113.1'), guesses.waitMs('203.0.113.1')]).toEqual([
    0, 1, 0,
  ]);
});

test('however many addresses guess, few are remembered, the latest', () => {
  const guesses = createGuesses(() => 0);
  for (let i = 0; i < 12_000; i++) guesses.failed(`10.0.${i >> 8}.${i & 255}`);
  expect(guesses.size).toBe(10_000);
  expect([guesses.failed('10.0.0.0'), guesses.failed('10.0.46.0')]).toEqual([1, 2]);
});
