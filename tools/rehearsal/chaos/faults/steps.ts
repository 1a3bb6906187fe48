import type { Stage, Step } from '../stage.ts';

/** Steps that several groups of faults have in common. Each tells the recording what it did. */

export function step(atMs: number, act: string, run: Step['run']): Step {
  return { atMs: Math.round(atMs), act, run };
}

export async function kill(stage: Stage, name: string): Promise<void> {
  stage.note({ type: 'process', process: name, did: 'killed' });
  await stage.cluster.end(name, 'SIGKILL');
}

export async function terminate(stage: Stage, name: string): Promise<void> {
  stage.note({ type: 'process', process: name, did: 'stopped' });
  await stage.cluster.end(name, 'SIGTERM');
}

export async function start(stage: Stage, name: string): Promise<void> {
  await stage.cluster.start(name);
  stage.note({ type: 'process', process: name, did: 'started' });
}

export function stop(stage: Stage, name: string): void {
  stage.note({ type: 'process', process: name, did: 'paused' });
  stage.cluster.pause(name);
}

export function go(stage: Stage, name: string): void {
  stage.cluster.resume(name);
  stage.note({ type: 'process', process: name, did: 'resumed' });
}

/** Ends the Redis that is the primary now. */
export async function endRedis(stage: Stage, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const { child } = stage.cluster.redis.primary;
  stage.note({ type: 'process', process: child.name, did: signal === 'SIGKILL' ? 'killed' : 'stopped' });
  await child.end(signal);
}

/** Starts it again on its port and files; resolves when it answers. */
export async function startRedis(stage: Stage): Promise<void> {
  const { primary } = stage.cluster.redis;
  if (!primary.child.alive) await primary.bringUp();
  stage.note({ type: 'process', process: primary.child.name, did: 'started' });
}

/** A command on the primary; an answer that does not come is no matter, since others make sure of the effect. */
export async function tryCommand(stage: Stage, ...words: (string | number)[]): Promise<unknown> {
  return stage.cluster.redis.command(words).catch(() => undefined);
}

/** Names of the processes of some lines, in a fixed order. */
export const namesOf = (stage: Stage, ...lines: string[]): string[] =>
  stage.cluster.names.filter((name) => lines.includes(name.replace(/-\d+$/, '')));

/** Runs an act every `everyMs` from `fromMs` to `toMs`. */
export function repeated(fromMs: number, toMs: number, everyMs: number, act: string, run: Step['run']): Step[] {
  const count = Math.floor((toMs - fromMs) / everyMs) + 1;
  return Array.from({ length: count }, (_, index) => step(fromMs + index * everyMs, act, run));
}
