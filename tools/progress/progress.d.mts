/** The types of progress.mjs for TypeScript. */

/** `done` of `total`, in any unit. Without a total nobody knows how much there is. */
export type Work = { done?: number; total?: number; text: string };

/** What a command is doing now, or a function that is asked for it again and again; null: nothing to report. */
export type CurrentActivity = string | (() => string | Work) | null;

export type Output = { write(text: string): unknown; isTTY?: boolean; columns?: number };

export type Progress = {
  /** The command does something else now, until the next call. */
  doing(activity: CurrentActivity): void;
  /** Writes a line that stays, for people. */
  say(text: string): void;
  /** Leaves the terminal as it was. */
  end(): void;
};

/**
 * Shows on `out`, which is stderr, what a command is doing if that takes longer than two seconds. `beside` is stdout:
 * where both are one terminal, what is written there takes the place of the line of progress. Of `env`, NO_COLOR and
 * TERM count.
 */
export function createProgress(out: Output, options?: { beside?: Output; env?: NodeJS.ProcessEnv }): Progress;

/** Work of which the duration is known. */
export function during(totalMs: number, text: string): () => Work;
