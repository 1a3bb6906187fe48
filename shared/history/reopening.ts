import { monotonicMs } from '../timing/clocks.ts';
import { retries, retryPauseMs } from '../timing/retry.ts';

export type Reopening<T> = {
  /** Resolves the open thing, or joins the opening in progress. Rejects at once in the pause after a failure. */
  get(): Promise<T>;
  /** The same without opening anything. */
  peek(): Promise<T> | null;
  /** Says that the open thing no longer works: the next `get` opens another one. */
  lost(reason: unknown): void;
};

/**
 * Keeps one thing open that may fail to open or break later. All callers meanwhile share one attempt. After a
 * failure nothing is tried for a pause of 100 ms, doubled with each further one up to 5 s; then whoever asks next tries
 * again, so a server or disk that comes back is found without a restart.
 */
export function reopening<T>(open: () => Promise<T>): Reopening<T> {
  let current: Promise<T> | null = null;
  let openedAt = 0;
  let failures = 0;
  let notBefore = 0;
  let lastReason: unknown = null;

  const lost = (reason: unknown): void => {
    const workedWell = openedAt > 0 && monotonicMs() - openedAt > retries.historyOpening.mostMs;
    failures = workedWell ? 1 : failures + 1;
    current = null;
    openedAt = 0;
    lastReason = reason;
    notBefore = monotonicMs() + retryPauseMs(retries.historyOpening, failures);
  };

  return {
    lost,
    peek: () => current,
    get() {
      if (current) return current;
      if (monotonicMs() < notBefore) {
        const text = lastReason instanceof Error ? lastReason.message : String(lastReason);
        return Promise.reject(new Error(`the history cannot be used now: ${text}`, { cause: lastReason }));
      }
      const attempt = open();
      current = attempt;
      attempt.then(
        () => {
          if (current === attempt) openedAt = monotonicMs();
        },
        (error: unknown) => {
          if (current === attempt) lost(error);
        },
      );
      return attempt;
    },
  };
}
