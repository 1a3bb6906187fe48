/** What a command is doing now: a text, or a function that returns it with current numbers; null: nothing to report. */
export type CurrentActivity = string | (() => string) | null;

export type Activity = {
  doing(activity: CurrentActivity): void;
  end(): void;
};

const silentMs = 2000;
/** The first of the pauses, which double up to the last: a long run prints few lines. */
const againAfterMs = { first: 5000, most: 60_000 };

/**
 * Says what a command is doing when that takes longer than two seconds, and again in growing intervals. It writes to
 * stderr, so stdout holds only the command's answer.
 */
export function createActivity(stderr: NodeJS.WritableStream): Activity {
  let timer: NodeJS.Timeout | undefined;

  const doing = (activity: CurrentActivity): void => {
    clearTimeout(timer);
    if (activity === null) return;
    const startedAt = performance.now();
    let pauseMs = againAfterMs.first;
    const say = (): void => {
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      stderr.write(`${typeof activity === 'string' ? activity : activity()} (${seconds} s)\n`);
      timer = setTimeout(say, pauseMs).unref();
      pauseMs = Math.min(2 * pauseMs, againAfterMs.most);
    };
    timer = setTimeout(say, silentMs).unref();
  };
  return { doing, end: () => doing(null) };
}
