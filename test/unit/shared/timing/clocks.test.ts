import { describe, expect, test } from 'vitest';
import { createProvenClock, monotonicMs, wallMs } from '../../../../shared/timing/clocks.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** A machine whose wall clock may be set. */
function machine(startMs = 1_700_000_000_000) {
  let elapsed = 0;
  let shift = 0;
  return {
    wall: () => startMs + elapsed + shift,
    monotonic: () => elapsed,
    pass: (ms: number) => void (elapsed += ms),
    set: (ms: number) => void (shift = ms),
    right: () => startMs + elapsed,
  };
}

test('the monotonic clock never goes back, and the wall clock is of today', () => {
  const before = monotonicMs();
  expect(monotonicMs()).toBeGreaterThanOrEqual(before);
  expect(wallMs()).toBeGreaterThan(1_700_000_000_000);
});

describe('a proven clock', () => {
  test('ignores a short jump ahead', () => {
    const { wall, monotonic, pass, set, right } = machine();
    const clock = createProvenClock(true, wall, monotonic);
    for (const ahead of [3 * hourMs, 72 * hourMs]) {
      pass(minuteMs);
      set(ahead);
      expect(clock()).toBe(right());
      pass(9 * minuteMs);
      expect(clock()).toBe(right());
      set(0);
      expect(clock()).toBe(right());
    }
  });

  test('follows a jump ahead once it has lasted ten minutes', () => {
    const { wall, monotonic, pass, set, right } = machine();
    const clock = createProvenClock(true, wall, monotonic);
    set(3 * hourMs);
    expect(clock()).toBe(right());
    pass(10 * minuteMs);
    expect(clock()).toBe(right() + 3 * hourMs);
  });

  test('follows a jump back at once, and drifts with its machine', () => {
    const { wall, monotonic, pass, set, right } = machine();
    const clock = createProvenClock(true, wall, monotonic);
    set(-65 * minuteMs);
    expect(clock()).toBe(right() - 65 * minuteMs);
    for (let drift = 0; drift < 10_000; drift += 500) {
      set(drift - 65 * minuteMs);
      pass(minuteMs);
      expect(clock()).toBe(right() + drift - 65 * minuteMs);
    }
  });

  test('calls nothing old in its first ten minutes', () => {
    const { wall, monotonic, pass, set, right } = machine();
    set(72 * hourMs);
    const clock = createProvenClock(false, wall, monotonic);
    expect(clock()).toBe(-Infinity);
    pass(9 * minuteMs);
    expect(clock()).toBe(-Infinity);
    set(0);
    pass(2 * minuteMs);
    expect(clock()).toBe(right());
  });
});
