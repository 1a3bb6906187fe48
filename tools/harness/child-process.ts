import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * One process of a local cluster, under a name that lasts over its deaths. Its output goes straight into a file: a
 * child must never wait for a parent that is too busy to read.
 */
export type Child = {
  readonly name: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  readonly alive: boolean;
  readonly log: string;
  /** What this run has written so far. */
  output(): Promise<string>;
  start(env: Record<string, string>): Promise<void>;
  /** Sends the signal and resolves with the exit code when the process is gone: null when the signal ended it. */
  end(signal: 'SIGKILL' | 'SIGTERM', withinMs?: number): Promise<number | null>;
  /** SIGSTOP: it stays connected and silent. */
  pause(): void;
  resume(): void;
};

/** The kernel ends the child when its parent is gone, whatever way the parent went. Linux only; elsewhere without. */
const setpriv = '/usr/bin/setpriv';
const leash = existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL'] : [];

export function createChild(name: string, command: string[], cwd: string, log: string): Child {
  let child: ChildProcess | null = null;
  let gone: Promise<number | null> = Promise.resolve(null);
  let begin = 0;

  const isAlive = (): boolean => child !== null && child.exitCode === null && child.signalCode === null;

  return {
    name,
    log,
    get pid() {
      return isAlive() ? child?.pid : undefined;
    },
    get alive() {
      return isAlive();
    },
    async output() {
      return (await readFile(log)).subarray(begin).toString();
    },
    async start(env) {
      if (isAlive()) throw new Error(`${name} runs already`);
      const file = await open(log, 'a');
      begin = (await file.stat()).size;
      const [program, ...args] = [...leash, ...command] as [string, ...string[]];
      const started = spawn(program, args, { cwd, env, stdio: ['ignore', file.fd, file.fd] });
      child = started;
      gone = new Promise((resolve) => started.once('exit', (code) => resolve(code)));
      await new Promise<void>((resolve, reject) => {
        started.once('spawn', resolve);
        started.once('error', reject);
      }).finally(() => void file.close());
    },
    async end(signal, withinMs = 10_000) {
      if (!isAlive()) return gone;
      child?.kill('SIGCONT');
      child?.kill(signal);
      const timer = setTimeout(() => child?.kill('SIGKILL'), withinMs);
      return gone.finally(() => clearTimeout(timer));
    },
    pause() {
      child?.kill('SIGSTOP');
    },
    resume() {
      child?.kill('SIGCONT');
    },
  };
}

/** Asks until the answer is not null. Rejects with the end of the child's output when it died or took too long. */
export async function until<T>(child: Child, what: string, withinMs: number, ask: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    const state = !child.alive ? 'died' : Date.now() > deadline ? `did not within ${withinMs} ms` : null;
    if (state !== null)
      throw new Error(`${child.name} should ${what} but ${state}:\n${(await child.output()).slice(-2000)}`);
    await pause(25);
  }
}
