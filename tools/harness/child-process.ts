import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/**
 * One process of a local cluster, under a name that it keeps over restarts. Its output goes straight into a file: a
 * child must never wait for a busy parent to read it.
 */
export type Child = {
  readonly name: string;
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  readonly alive: boolean;
  /** The path of the file with the output of all its runs. */
  readonly log: string;
  /** The output of the current run so far. */
  output(): Promise<string>;
  start(env: NodeJS.ProcessEnv): Promise<void>;
  /** Rejects with the end of the output if this run ends without a call of `end`; never resolves. */
  failed(): Promise<never>;
  /**
   * Sends the signal and resolves with the exit code once the process is gone, or null if a signal ended it. After
   * `withinMs` the process is killed.
   */
  end(signal: 'SIGKILL' | 'SIGTERM', withinMs?: number): Promise<number | null>;
  /** SIGSTOP: it stays connected but silent. */
  pause(): void;
  resume(): void;
};

/** The kernel kills the child when its parent is gone, however the parent ended. Linux only. */
const setpriv = '/usr/bin/setpriv';
const leash = existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL'] : [];
const shownCharacters = 2000;

const running = new Set<ChildProcess>();
let over = false;

/** Kills every child at once, also on systems without `setpriv`. Afterwards no child can be started. */
export function killAllChildren(): void {
  over = true;
  for (const child of running) child.kill('SIGKILL');
}

/** A child shares the compile cache of its parent, if there is one: half of a start is compiling. */
const compileCache = process.env['NODE_COMPILE_CACHE'];
const inherited = compileCache === undefined ? {} : { NODE_COMPILE_CACHE: compileCache };

export function createChild(name: string, command: string[], cwd: string, log: string): Child {
  let child: ChildProcess | null = null;
  let gone: Promise<number | null> = Promise.resolve(null);
  let ending = false;
  let begin = 0;

  const isAlive = (): boolean => child !== null && child.exitCode === null && child.signalCode === null;
  const output = async (): Promise<string> => (await readFile(log)).subarray(begin).toString();

  return {
    name,
    log,
    get pid() {
      return isAlive() ? child?.pid : undefined;
    },
    get alive() {
      return isAlive();
    },
    output,
    async start(env) {
      if (isAlive()) throw new Error(`${name} runs already`);
      if (over) throw new Error('interrupted');
      const file = await open(log, 'a');
      begin = (await file.stat()).size;
      const [program, ...args] = [...leash, ...command] as [string, ...string[]];
      const started = spawn(program, args, { cwd, env: { ...inherited, ...env }, stdio: ['ignore', file.fd, file.fd] });
      child = started;
      ending = false;
      running.add(started);
      gone = new Promise((resolve) => started.once('exit', (code) => resolve(code)));
      void gone.then(() => running.delete(started));
      await new Promise<void>((resolve, reject) => {
        started.once('spawn', resolve);
        started.once('error', reject);
      }).finally(() => void file.close());
    },
    async failed() {
      const code = await gone;
      if (ending) return new Promise<never>(() => {});
      const how = child?.signalCode ?? code;
      throw new Error(`${name} ended (${how}):\n${(await output()).slice(-shownCharacters)}`);
    },
    async end(signal, withinMs = 10_000) {
      if (!isAlive()) return gone;
      ending = true;
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

/** Polls until the answer is not null. Rejects with the end of the child's output if it dies or takes too long. */
export async function until<T>(child: Child, what: string, withinMs: number, ask: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    const state = !child.alive ? 'died' : Date.now() > deadline ? `did not within ${withinMs} ms` : null;
    if (state !== null) {
      const shown = (await child.output()).slice(-shownCharacters);
      throw new Error(`${child.name} should ${what} but ${state}:\n${shown}`);
    }
    await pause(25);
  }
}

/** The first match of `pick` in a line of the child's output. Rejects as `until` does. */
export function untilLine<T>(
  child: Child,
  what: string,
  withinMs: number,
  pick: (line: string) => T | null,
): Promise<T> {
  return until(child, what, withinMs, async () => {
    for (const line of (await child.output()).split('\n')) {
      const found = pick(line);
      if (found !== null) return found;
    }
    return null;
  });
}
