import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createActivity } from '../../../cli/activity.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const startActivity = () => {
  const stderr = new PassThrough({ encoding: 'utf8' });
  return { said: (): string => (stderr.read() as string | null) ?? '', ...createActivity(stderr) };
};

test('a command that takes less than two seconds says nothing of what it does', () => {
  const { doing, end, said } = startActivity();
  doing('asking Redis');
  vi.advanceTimersByTime(1900);
  end();
  vi.advanceTimersByTime(60_000);
  expect(said()).toBe('');
});

test('a slow command says what it does after two seconds, and again ever more rarely, with its newest numbers', () => {
  const { doing, said } = startActivity();
  let count = 7;
  doing(() => `compared ${count} conversations`);
  vi.advanceTimersByTime(2000);
  count = 9;
  vi.advanceTimersByTime(5000);
  expect(said()).toBe('compared 7 conversations (2 s)\ncompared 9 conversations (7 s)\n');
  vi.advanceTimersByTime(5 * 60_000);
  expect(said().trimEnd().split('\n')).toHaveLength(6);
});

test('each step of a command has two seconds of its own', () => {
  const { doing, said } = startActivity();
  doing('waiting for Redis');
  vi.advanceTimersByTime(1500);
  doing('reading');
  vi.advanceTimersByTime(1500);
  expect(said()).toBe('');
});
