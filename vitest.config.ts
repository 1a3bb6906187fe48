import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import type { Reporter, TestModule } from 'vitest/node';

/** Where .ci/run wants the results of this run as JSON. */
const resultsDir = process.env['RESTANTE_TEST_RESULTS'];

// Processes of one commit compile the same files hundreds of times in a run. Node keeps what it compiled, which halves
// the CPU time of a process' start; the runner's own workers and every child of the tests inherit the variable.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules', '.cache', 'node-compile');

/** What did not run is named at the end with its reason, so that a skipped test is never taken for a passed one. */
const skippedReporter: Reporter = {
  onTestRunEnd(testModules: readonly TestModule[]) {
    const skipped = testModules.flatMap((testModule) =>
      [...testModule.children.allTests('skipped')].map((test) => {
        const result = test.result();
        const reason = (result.state === 'skipped' ? result.note : undefined) ?? 'no reason given';
        return `  ${testModule.relativeModuleId} > ${test.fullName}: ${reason}`;
      }),
    );
    if (skipped.length > 0) process.stdout.write(`\nskipped, not passed:\n${skipped.join('\n')}\n`);
  },
};

export default defineConfig({
  test: {
    // Tests of whole clusters wait for more than half of their time, so two cores serve three files at once.
    maxWorkers: 3,
    reporters: resultsDir === undefined ? ['default', skippedReporter] : ['default', skippedReporter, 'json'],
    ...(resultsDir === undefined ? {} : { outputFile: { json: join(resultsDir, `${process.pid}.json`) } }),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/architecture.test.ts'],
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
          testTimeout: 20_000,
          hookTimeout: 60_000,
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
