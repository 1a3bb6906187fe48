/** What a command is doing now: a text, or a function that returns it with current numbers; null: nothing to report. */
export type CurrentActivity = string | (() => string) | null;

export type Activity = {
  doing(activity: CurrentActivity): void;
  end(): void;
};

const silentMs = 2000;
const againAfterMs = 5000;

/**
 * Reports what a command is doing if that takes longer than two seconds, and again every five seconds. It writes to
 * stderr, so that stdout holds only the command's answer.
 */
export function createActivity(stderr: NodeJS.WritableStream): Activity {
  let timer: NodeJS.Timeout | undefined;

  const doing = (activity: CurrentActivity): void => {
    clearTimeout(timer);
    if (activity === null) return;
    const startedAt = performance.now();
    const say = (): void => {
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      stderr.write(`${typeof activity === 'string' ? activity : activity()} (${seconds} s)\n`);
      timer = setTimeout(say, againAfterMs).unref();
    };
    timer = setTimeout(say, silentMs).unref();
  };
  return { doing, end: () => doing(null) };
}
