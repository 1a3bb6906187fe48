import { expect, test } from 'vitest';
import { createLookupBudget } from '../../../../gateway/limits/lookup-budget.ts';

test('what one user had looked through is made up for before more is, and nobody else waits for it', () => {
  let now = 5;
  const budget = createLookupBudget(() => now);
  budget.check('alice');
  budget.spend('alice', 500_000);
  expect(() => budget.check('alice')).toThrow(
    expect.objectContaining({ code: 'rate_limited', retryable: true, retryAfterMs: 40_011 }),
  );
  budget.check('bob');
  now += 40_010;
  expect(() => budget.check('alice')).toThrow(expect.objectContaining({ retryAfterMs: 1 }));
  now += 1;
  budget.check('alice');
});

test('many searches that find little are never refused to somebody who resends what a day offline has left', () => {
  const budget = createLookupBudget(() => 0);
  for (let i = 0; i < 500; i++) {
    budget.check('alice');
    budget.spend('alice', 99);
  }
});

test('who has everything left is forgotten', () => {
  let now = 0;
  const budget = createLookupBudget(() => now);
  budget.spend('alice', 900);
  budget.sweep();
  now += 100;
  budget.sweep();
  budget.spend('alice', 100_000);
  expect(() => budget.check('alice')).toThrow(expect.objectContaining({ retryAfterMs: 11 }));
});
