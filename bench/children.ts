/** Programs of the benchmark itself, such as the load generator: they read input and print their answers. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { killAllChildren } from '../tools/harness/child-process.ts';

/** Time that a child has to end after SIGTERM before it is killed. */
const graceMs = 8000;
const keptLines = 30;

const running = new Set<ChildProcess>();
let over = false;

export type Child = {
  name: string;
  pid: number;
  /** Resolves with the first non-null result of `pick` for a line; rejects if the child ends before. */
  line: <T>(pick: (line: string) => T | null, withinMs: number) => Promise<T>;
  /** Rejects if the child ends without a request to do so. */
  failed: Promise<never>;
  write: (text: string) => void;
  stop: () => Promise<void>;
};

export type ChildOptions = { name: string; command: string; args: string[]; env: NodeJS.ProcessEnv; cwd: string };

export function startChild({ name, command, args, env, cwd }: ChildOptions): Child {
  if (over) throw new Error('interrupted');
  const child = spawn(command, args, { env, cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  const lines: string[] = [];
  const listeners = new Set<(line: string) => void>();
  let stopping = false;
  let ended: (reason: Error) => void = () => {};
  const end = new Promise<Error>((resolve) => (ended = resolve));

  for (const output of [child.stdout, child.stderr]) {
    createInterface({ input: output }).on('line', (line) => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      for (const listener of listeners) listener(line);
    });
  }
  child.stdin.on('error', () => {}); // The exit event reports a child that has gone.
  child.on('error', (error) => ended(error));
  child.on('close', (code, signal) => {
    running.delete(child);
    ended(new Error(`${name} ended (${signal ?? code}):\n${lines.join('\n')}`));
  });

  const failed = end.then((reason) => (stopping ? new Promise<never>(() => {}) : Promise.reject(reason)));
  failed.catch(() => {});

  return {
    name,
    pid: child.pid ?? 0,
    failed,
    write: (text) => child.stdin.end(text),
    line: (pick, withinMs) =>
      new Promise((resolve, reject) => {
        const finish = (act: () => void): void => {
          clearTimeout(timer);
          listeners.delete(look);
          act();
        };
        const look = (line: string): void => {
          const found = pick(line);
          if (found !== null) finish(() => resolve(found));
        };
        const timer = setTimeout(
          () => finish(() => reject(new Error(`${name} was not ready within ${withinMs} ms:\n${lines.join('\n')}`))),
          withinMs,
        );
        listeners.add(look);
        for (const line of [...lines]) look(line);
        void end.then((reason) => finish(() => reject(reason)));
      }),
    stop: async () => {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await end;
      clearTimeout(timer);
    },
  };
}

/** Kills everything at once, clusters included. Waiting for a child rejects, and no further child can be started. */
export function killChildren(): void {
  over = true;
  for (const child of running) child.kill('SIGKILL');
  killAllChildren();
}
