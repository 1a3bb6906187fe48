import { expect, test } from 'vitest';
import { createLoginAttempts } from '../../../../gateway/admin/login-attempts.ts';

test('doubles the pause of an address after 20 failures, up to 15 seconds; other addresses do not wait', () => {
  let now = 0;
  const attempts = createLoginAttempts(() => now);
  for (let i = 1; i <= 20; i++)
    expect([attempts.waitMs('203.0.113.1'), attempts.failed('203.0.113.1')]).toEqual([0, i]);
  const pauses: number[] = [];
  for (let i = 0; i < 7; i++) {
    attempts.failed('203.0.113.1');
    pauses.push(attempts.waitMs('203.0.113.1'));
    expect(attempts.waitMs('::ffff:203.0.113.1')).toBe(pauses.at(-1));
    expect(attempts.waitMs('203.0.113.2')).toBe(0);
    now += pauses.at(-1)!;
    expect(attempts.waitMs('203.0.113.1')).toBe(0);
  }
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
});

test('forgets the failures of an address after ten minutes', () => {
  let now = 0;
  const attempts = createLoginAttempts(() => now);
  for (let i = 0; i < 30; i++) attempts.failed('203.0.113.1');
  now += 600_001;
  expect([attempts.waitMs('203.0.113.1'), attempts.failed('203.0.113.1'), attempts.waitMs('203.0.113.1')]).toEqual([
    0, 1, 0,
  ]);
});

test('remembers a bounded number of addresses, the latest ones', () => {
  const attempts = createLoginAttempts(() => 0);
  for (let i = 0; i < 12_000; i++) attempts.failed(`10.0.${i >> 8}.${i & 255}`);
  expect(attempts.size).toBe(10_000);
  expect([attempts.failed('10.0.0.0'), attempts.failed('10.0.46.0')]).toEqual([1, 2]);
});
