import type { CurrentActivity } from '../tools/progress/progress.mjs';
import type { Env } from './context.ts';

/** The process as a command sees it; commands never access the process themselves. */
export type Context = {
  env: Env;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean };
  stderr: NodeJS.WritableStream;
  /** Shows on stderr what the command is doing, if that takes longer than two seconds. */
  doing(activity: CurrentActivity): void;
  /** Aborted by Ctrl-C and SIGTERM: the command ends gracefully. */
  signal: AbortSignal;
};

export type Command = {
  summary: string;
  usage: string;
  /** Resolves with the exit code. A UsageError is printed without a stack; the exit code is 1. */
  run(args: string[], context: Context): Promise<number>;
};
