import { expect, test } from 'vitest';
import { createLookupBudget } from '../../../../gateway/limits/lookup-budget.ts';

test('refuses further searches of a user until the debt is paid off, and delays no other user', () => {
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

test('never refuses the searches of a user who resends what a day offline has left', () => {
  const budget = createLookupBudget(() => 0);
  for (let i = 0; i < 500; i++) {
    budget.check('alice');
    budget.spend('alice', 99);
  }
});

test('forgets users whose budget is full', () => {
  let now = 0;
  const budget = createLookupBudget(() => now);
  budget.spend('alice', 900);
  budget.sweep();
  now += 100;
  budget.sweep();
  budget.spend('alice', 100_000);
  expect(() => budget.check('alice')).toThrow(expect.objectContaining({ retryAfterMs: 11 }));
});
