import type { Child } from './child-process.ts';

/** A process that can be started, ended and started again. */
export type ManagedProcess = {
  readonly child: Child;
  /** The port that it serves; undefined before it first listened. It stays the same over restarts. */
  readonly port: number | undefined;
  /** Starts it and resolves when it is ready; rejects with the end of its output if it does not become ready. */
  bringUp(): Promise<void>;
};

/** Several processes. A name is one of them (`web-1`, `redis`) or all of a kind (`web`); an unknown name throws. */
export type ProcessGroup = {
  readonly names: readonly string[];
  child(name: string): Child;
  /** All processes of a name. */
  children(name: string): Child[];
  /** The port on which a process serves its health and metrics. */
  port(name: string): number;
  /** Starts the processes that do not run; resolves when they are ready. */
  start(name: string): Promise<void>;
  /** SIGTERM ends a process gracefully, SIGKILL at once; resolves when it is gone. */
  end(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Ends gracefully, then starts again; resolves when ready. */
  restart(name: string): Promise<void>;
  /** SIGSTOP: it stays connected but silent. */
  pause(name: string): void;
  resume(name: string): void;
};

export function createProcessGroup(processes: readonly ManagedProcess[]): ProcessGroup {
  const names = processes.map(({ child }) => child.name);
  const matching = (name: string): ManagedProcess[] => {
    const exact = processes.find(({ child }) => child.name === name);
    if (exact !== undefined) return [exact];
    const found = processes.filter(({ child }) => child.name.startsWith(`${name}-`));
    if (found.length === 0) throw new Error(`no process ${name}; there are ${names.join(', ')}`);
    return found;
  };
  const one = (name: string): ManagedProcess => {
    const [found, ...others] = matching(name);
    if (others.length > 0) throw new Error(`${name} is several processes; there are ${names.join(', ')}`);
    return found!;
  };
  const each = async (name: string, act: (process: ManagedProcess) => Promise<unknown>): Promise<void> => {
    await Promise.all(matching(name).map(act));
  };

  return {
    names,
    child: (name) => one(name).child,
    children: (name) => matching(name).map(({ child }) => child),
    port(name) {
      const { port } = one(name);
      if (port === undefined) throw new Error(`${name} has not listened yet`);
      return port;
    },
    start: (name) => each(name, (process) => (process.child.alive ? Promise.resolve() : process.bringUp())),
    end: (name, signal) => each(name, ({ child }) => child.end(signal)),
    restart: (name) =>
      each(name, async (process) => {
        await process.child.end('SIGTERM');
        await process.bringUp();
      }),
    pause: (name) => matching(name).forEach(({ child }) => child.pause()),
    resume: (name) => matching(name).forEach(({ child }) => child.resume()),
  };
}
