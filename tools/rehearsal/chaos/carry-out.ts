import { setTimeout as pause } from 'node:timers/promises';
import type { ChaosCluster } from './cluster.ts';
import type { Stage, Step } from './stage.ts';

const stepWithinMs = 120_000;
const watchEveryMs = 250;

async function within(ms: number, what: Promise<void>): Promise<void> {
  const timer = new AbortController();
  try {
    await Promise.race([
      what,
      pause(ms, undefined, { signal: timer.signal }).then(() => {
        throw new Error(`it took longer than ${ms / 1000} s`);
      }),
    ]);
  } finally {
    timer.abort();
  }
}

/**
 * Carries out the schedule. The time between two steps is kept: one that takes longer than planned delays all after it.
 * A step that fails is no end: what follows shows what it did.
 */
export async function carryOut(steps: readonly Step[], stage: Stage, say: (text: string) => void): Promise<void> {
  const began = performance.now();
  let before = { atMs: 0, at: began };
  for (const { atMs, act, run } of steps) {
    const waitMs = before.at + atMs - before.atMs - performance.now();
    if (waitMs > 0) await pause(waitMs);
    before = { atMs, at: performance.now() };
    say(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${act}`);
    stage.note({ type: 'fault-begun', fault: act });
    try {
      await within(stepWithinMs, Promise.resolve(run(stage)));
    } catch (error) {
      stage.violation(`"${act}" failed: ${(error as Error).message.slice(0, 1500)}`);
    }
  }
}

/** Tells of processes that run no more although nobody has ended them. Returns what stops it. */
export function watchProcesses(
  cluster: ChaosCluster,
  ended: ReadonlySet<string>,
  tell: (name: string) => void,
): () => void {
  const told = new Set<string>();
  const timer = setInterval(() => {
    for (const name of cluster.names) {
      if (cluster.child(name).alive) told.delete(name);
      else if (!ended.has(name) && !told.has(name)) {
        told.add(name);
        tell(name);
      }
    }
  }, watchEveryMs);
  return () => clearInterval(timer);
}
