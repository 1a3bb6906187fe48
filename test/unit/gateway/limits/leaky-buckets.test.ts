import { expect, test } from 'vitest';
import { createLeakyBuckets } from '../../../../gateway/limits/leaky-buckets.ts';
import type { RateLimit } from '../../../../shared/model/rate-limits.ts';

function limited(limit: RateLimit | null, most?: number) {
  const clock = { now: 1000 };
  const buckets = createLeakyBuckets(limit, () => clock.now, most);
  /** How many of these are taken. */
  const pass = (user: string, times: number): number => {
    let passed = 0;
    for (let i = 0; i < times; i++) if (buckets.take(user) === 0) passed += 1;
    return passed;
  };
  return { clock, buckets, pass };
}

test('allows the limit at once, then refills evenly over the period', () => {
  const { clock, pass } = limited({ most: 10, periodMs: 2000 });
  expect(pass('alice', 50)).toBe(10);
  clock.now += 1000;
  expect(pass('alice', 50)).toBe(5);
  clock.now += 60_000;
  expect(pass('alice', 50)).toBe(10);
});

test.each([
  [1, 1000],
  [3, 1000],
  [7, 1000],
  [60, 3_600_000],
  [1201, 3_600_000],
  [99_999, 60_000],
])('allows exactly %i in %i ms, whatever the quotient', (most, periodMs) => {
  const { clock, pass } = limited({ most, periodMs });
  clock.now = 123_456_789.123;
  expect(pass('alice', most + 5)).toBe(most);
  clock.now += periodMs;
  expect(pass('alice', most + 5)).toBe(most);
});

test('keeps users apart', () => {
  const { pass } = limited({ most: 10, periodMs: 2000 });
  pass('alice', 50);
  expect(pass('bob', 50)).toBe(10);
});

test('returns the time until there is room, and a refusal costs nothing', () => {
  const { clock, buckets, pass } = limited({ most: 8, periodMs: 2000 });
  pass('alice', 50);
  expect(buckets.take('alice')).toBe(250);
  clock.now += 150;
  expect(buckets.take('alice')).toBe(100);
  clock.now += 100;
  expect(buckets.take('alice')).toBe(0);
});

test('allows everything and keeps nothing without a limit', () => {
  const { buckets, pass } = limited(null);
  expect(pass('alice', 100_000)).toBe(100_000);
  expect(buckets.size).toBe(0);
});

test('forgets empty buckets without giving anybody more', () => {
  const { clock, buckets, pass } = limited({ most: 10, periodMs: 2000 });
  pass('alice', 50);
  buckets.sweep();
  expect(pass('alice', 1)).toBe(0);
  clock.now += 2000;
  buckets.sweep();
  expect(buckets.size).toBe(0);
  expect(pass('alice', 50)).toBe(10);
});

test('forgets the oldest of too many users', () => {
  const { buckets, pass } = limited({ most: 1, periodMs: 1000 }, 3);
  for (const user of ['a', 'b', 'c', 'd']) expect(pass(user, 2)).toBe(1);
  expect(buckets.size).toBe(3);
  expect([pass('d', 1), pass('a', 1)]).toEqual([0, 1]);
});
