import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { TestModule, TestSpecification } from 'vitest/node';
import { progressReporter } from '../../../../tools/test-reports/progress.ts';

const startOf = (...projects: string[]): TestSpecification[] =>
  projects.map((name) => ({ project: { name } }) as TestSpecification);
const fileOf = (project: string, path: string, ok = true): TestModule =>
  ({ id: `${project}:${path}`, relativeModuleId: path, project: { name: project }, ok: () => ok }) as TestModule;

function startReporter() {
  const lines: string[] = [];
  const write = (text: string): void => void lines.push(text.trimEnd());
  return { lines, reporter: progressReporter({ write, now: () => Date.now(), everyMs: 10_000 }) };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('says at once how many files there are and that it sets up', async () => {
  const { lines, reporter } = startReporter();
  await reporter.onTestRunStart?.(startOf('unit', 'unit', 'integration'));
  expect(lines).toEqual(['progress: 3 test files (unit 2, integration 1); setting up']);
});

test('says every ten seconds which files are done and which run', async () => {
  const { lines, reporter } = startReporter();
  await reporter.onTestRunStart?.(startOf('unit', 'unit', 'process'));
  vi.advanceTimersByTime(10_000);
  await reporter.onTestModuleQueued?.(fileOf('unit', 'a.test.ts'));
  await reporter.onTestModuleEnd?.(fileOf('unit', 'a.test.ts', false));
  await reporter.onTestModuleQueued?.(fileOf('process', 'b.test.ts'));
  vi.advanceTimersByTime(120_000);
  expect(lines[1]).toBe('progress: 0 of 3 files, 10 s; setting up');
  expect(lines.at(-1)).toBe('progress: 1 of 3 files, 1 failed, 2 min 10 s; running process b.test.ts');
  expect(lines).toHaveLength(14);
});

test('names at most three of the files that run', async () => {
  const { lines, reporter } = startReporter();
  await reporter.onTestRunStart?.(startOf('unit', 'unit', 'unit', 'unit', 'unit'));
  for (const path of ['a', 'b', 'c', 'd', 'e']) await reporter.onTestModuleQueued?.(fileOf('unit', path));
  vi.advanceTimersByTime(10_000);
  expect(lines.at(-1)).toBe('progress: 0 of 5 files, 10 s; running unit a, unit b, unit c and 2 more');
});

test('is silent after the end', async () => {
  const { lines, reporter } = startReporter();
  await reporter.onTestRunStart?.(startOf('unit'));
  await reporter.onTestRunEnd?.([], [], 'passed');
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(1);
});
