import type { Env } from './context.ts';

/** What a command gets from the process; commands never reach for the process themselves. */
export type Context = {
  env: Env;
  stdin: NodeJS.ReadableStream & { isTTY?: boolean };
  stdout: NodeJS.WritableStream & { isTTY?: boolean };
  stderr: NodeJS.WritableStream;
  /** Aborted by Ctrl-C and SIGTERM: the command ends in good order. */
  signal: AbortSignal;
};

export type Command = {
  summary: string;
  usage: string;
  /** Resolves with the exit code. A UsageError is printed without a stack, and is exit code 1. */
  run(args: string[], context: Context): Promise<number>;
};
