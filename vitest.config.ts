import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { LongFirst } from './tools/test-reports/long-first.ts';
import { progressReporter } from './tools/test-reports/progress.ts';
import { skippedReporter } from './tools/test-reports/skipped.ts';

/** Where .ci/run wants the results of this run as JSON. */
const resultsDir = process.env['RESTANTE_TEST_RESULTS'];

// Processes of one commit compile the same files hundreds of times in a run. Node keeps what it compiled, which halves
// the CPU time of a process' start; the runner's own workers and every child of the tests inherit the variable.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules', '.cache', 'node-compile');

const write = (text: string): void => void process.stdout.write(text);
const reporters = [
  'default',
  skippedReporter(write),
  // On a terminal the default reporter keeps a summary in sight.
  ...(process.stdout.isTTY ? [] : [progressReporter({ write })]),
  ...(resultsDir === undefined ? [] : ['json']),
];

export default defineConfig({
  test: {
    // Tests of whole clusters wait for more than half of their time, so two cores serve three files at once. Four are
    // hardly faster.
    maxWorkers: 3,
    sequence: { sequencer: LongFirst },
    reporters,
    ...(resultsDir === undefined ? {} : { outputFile: { json: join(resultsDir, `${process.pid}.json`) } }),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/architecture.test.ts'],
          // Some start a process, which takes many seconds on a machine that is busy with other work.
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'model',
          include: ['test/model/**/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          globalSetup: ['test/support/global-redis.ts'],
          // Room for a machine that is busy with other work: where time itself is tested, the test has its own bounds.
          testTimeout: 30_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 15_000 } },
        },
      },
      {
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 30_000,
          // A database server may have to be fetched first.
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          name: 'process',
          include: ['test/process/**/*.test.ts'],
          globalSetup: ['test/support/global-redis.ts'],
          // Whole clusters under load, whose processes are killed and paused: two files at a time, after all others.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
