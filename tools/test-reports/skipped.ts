import type { Reporter, TestModule } from 'vitest/node';

/** Names what did not run, with its reason, at the end: a skipped test is never taken for a passed one. */
export function skippedReporter(write: (text: string) => void): Reporter {
  return {
    onTestRunEnd(testModules: readonly TestModule[]) {
      const skipped = testModules.flatMap((testModule) =>
        [...testModule.children.allTests('skipped')].map((test) => {
          const result = test.result();
          const reason = (result.state === 'skipped' ? result.note : undefined) ?? 'no reason given';
          return `  ${testModule.relativeModuleId} > ${test.fullName}: ${reason}`;
        }),
      );
      if (skipped.length > 0) write(`\nskipped, not passed:\n${skipped.join('\n')}\n`);
    },
  };
}
