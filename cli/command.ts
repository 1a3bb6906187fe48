import type { CurrentActivity } from './activity.ts';
import type { Env } from './context.ts';

/** What a command gets from the process; commands never reach for the process themselves. */
export type Context = {
  env: Env;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean };
  stderr: NodeJS.WritableStream;
  /** Says on stderr what the command does, if that takes longer than two seconds. */
  doing(activity: CurrentActivity): void;
  /** Aborted by Ctrl-C and SIGTERM: the command ends in good order. */
  signal: AbortSignal;
};

export type Command = {
  summary: string;
  usage: string;
  /** Resolves with the exit code. A UsageError is printed without a stack; the exit code is 1. */
  run(args: string[], context: Context): Promise<number>;
};
