import { expect, test } from 'vitest';
import { createSendRate } from '../../gateway/send-rate.ts';

function limited(perSecond: number) {
  const clock = { now: 1000 };
  const rate = createSendRate(perSecond, () => clock.now);
  /** How many of these sends pass. */
  const pass = (user: string, sends: number): number => {
    let passed = 0;
    for (let i = 0; i < sends; i++) {
      try {
        rate.take(user);
        passed += 1;
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'rate_limited', retryable: true });
      }
    }
    return passed;
  };
  return { clock, rate, pass };
}

test('bursts of twice the rate, then the rate', () => {
  const { clock, pass } = limited(5);
  expect(pass('alice', 50)).toBe(10);
  clock.now += 1000;
  expect(pass('alice', 50)).toBe(5);
  clock.now += 60_000;
  expect(pass('alice', 50)).toBe(10);
});

test('one user does not limit another', () => {
  const { pass } = limited(5);
  pass('alice', 50);
  expect(pass('bob', 50)).toBe(10);
});

test('says after which time the next one has room, and then it has', () => {
  const { clock, rate, pass } = limited(4);
  pass('alice', 50);
  const wait = (): number => {
    try {
      rate.take('alice');
      return 0;
    } catch (thrown) {
      return (thrown as { retryAfterMs: number }).retryAfterMs;
    }
  };
  expect(wait()).toBe(250);
  clock.now += 150;
  expect(wait()).toBe(100);
  clock.now += 100;
  expect(wait()).toBe(0);
});

test('0 is no limit', () => {
  expect(limited(0).pass('alice', 100_000)).toBe(100_000);
});

test('forgetting full buckets gives nobody more', () => {
  const { clock, rate, pass } = limited(5);
  pass('alice', 50);
  rate.sweep();
  expect(pass('alice', 1)).toBe(0);
  clock.now += 2000;
  rate.sweep();
  expect(pass('alice', 50)).toBe(10);
});

test('a clock that goes back gives and takes nothing for long', () => {
  const { clock, pass } = limited(5);
  pass('alice', 3);
  clock.now -= 500;
  expect(pass('alice', 50)).toBe(4);
  clock.now += 3000;
  expect(pass('alice', 50)).toBe(10);
});
