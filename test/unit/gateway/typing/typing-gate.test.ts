import { expect, test } from 'vitest';
import { createTypingGate } from '../../../../gateway/typing/typing-gate.ts';
import { typingEveryMs } from '../../../../shared/model/limits.ts';

function gate() {
  const clock = { now: 1000 };
  return { clock, ...createTypingGate(() => clock.now) };
}

test('passes one beginning in three seconds for each user and conversation', () => {
  const { clock, take } = gate();
  expect(take('alice', 'team', false)).toBe('passed');
  clock.now += typingEveryMs - 1;
  expect(take('alice', 'team', false)).toBe('often');
  expect(take('bob', 'team', false)).toBe('passed');
  expect(take('alice', 'tea', false)).toBe('passed');
  clock.now += 1;
  expect(take('alice', 'team', false)).toBe('passed');
});

test('passes one end after each beginning, at any time, and none without one', () => {
  const { clock, take } = gate();
  expect(take('alice', 'team', true)).toBe('often');
  take('alice', 'team', false);
  clock.now += 100;
  expect(take('alice', 'team', true)).toBe('passed');
  expect(take('alice', 'team', true)).toBe('often');
  // An end does not make room for another beginning.
  expect(take('alice', 'team', false)).toBe('often');
  clock.now += typingEveryMs;
  expect(take('alice', 'team', false)).toBe('passed');
});

test('passes 200 a second of all users, and has room again with the time', () => {
  const { clock, take } = gate();
  const passed = (prefix: string): number =>
    Array.from({ length: 300 }, (_, i) => take(`${prefix}${i}`, 'team', false)).filter((one) => one === 'passed')
      .length;
  expect(passed('a')).toBe(200);
  clock.now += 500;
  expect(passed('b')).toBe(100);
});

test('forgets those that have rested', () => {
  const { clock, take, sweep } = gate();
  take('alice', 'team', false);
  clock.now += typingEveryMs;
  sweep();
  // The end of what has begun is still awaited.
  expect(take('alice', 'team', true)).toBe('passed');
  clock.now += 61_000;
  sweep();
  expect(take('alice', 'team', true)).toBe('often');
});
