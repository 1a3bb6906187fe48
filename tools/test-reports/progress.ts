import type { Reporter, TestModule, TestSpecification } from 'vitest/node';

/** A file that is run, by as much of it as a line of progress shows. */
type RunningFile = { path: string; project: string };

export type ProgressOptions = {
  write: (text: string) => void;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
  /** How often a line of progress is written. */
  everyMs?: number;
};

const usuallyEveryMs = 10_000;
/** Long lists of files would hide the numbers. */
const namedFiles = 3;

/** `75 s` or `3 min 20 s`. */
function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** `unit 60, integration 98`: how many there are of each name, in the order of first appearance. */
function countByName(names: string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
}

/**
 * Says what a run does while it does it: how many files there are, then one line every few seconds with the files done
 * and the files that run. For output that is no terminal, such as that of CI; on a terminal vitest shows this itself.
 */
export function progressReporter({
  write,
  now = () => performance.now(),
  everyMs = usuallyEveryMs,
}: ProgressOptions): Reporter {
  const running = new Map<string, RunningFile>();
  let startedAt = 0;
  let total = 0;
  let done = 0;
  let failed = 0;
  let timer: NodeJS.Timeout | undefined;

  const report = (): void => {
    const files = [...running.values()].map(({ project, path }) => `${project} ${path}`);
    const others = files.length > namedFiles ? ` and ${files.length - namedFiles} more` : '';
    const doing = files.length === 0 ? 'setting up' : `running ${files.slice(0, namedFiles).join(', ')}${others}`;
    const faults = failed === 0 ? '' : `, ${failed} failed`;
    write(`progress: ${done} of ${total} files${faults}, ${duration(now() - startedAt)}; ${doing}\n`);
  };

  return {
    onTestRunStart(specifications: readonly TestSpecification[]) {
      startedAt = now();
      total = specifications.length;
      const projects = countByName(specifications.map(({ project }) => project.name));
      write(`progress: ${total} test files (${projects}); setting up\n`);
      timer = setInterval(report, everyMs);
      timer.unref();
    },
    onTestModuleQueued({ id, relativeModuleId, project }: TestModule) {
      running.set(id, { path: relativeModuleId, project: project.name });
    },
    onTestModuleEnd(testModule: TestModule) {
      running.delete(testModule.id);
      done += 1;
      if (!testModule.ok()) failed += 1;
    },
    onTestRunEnd() {
      clearInterval(timer);
    },
  };
}
