import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from '../../harness/local-cluster.ts';
import type { Random } from './random.ts';

/** Kills processes of a cluster at planned points of a run, and restarts them after a while. */
export type Kills = {
  /** Called before step number `step`: kills the processes that are due. Never waits. */
  at(step: number): void;
  /** Resolves when every killed process is ready again; rejects if one did not come back. */
  settled(): Promise<void>;
  count(): number;
  log: string[];
};

const downMs: [number, number] = [100, 1500];

/**
 * `steps` is the length of the run, `often` the approximate number of steps between two kills. Redis is never killed.
 */
export function planKills(cluster: Cluster, random: Random, steps: number, often: number): Kills {
  const victims = cluster.names.filter((name) => /^(web|fanout|archive)-/.test(name));
  const due = new Map<number, { name: string; downMs: number }>();
  const wanted = Math.max(victims.length, Math.floor(steps / often));
  for (let made = 0; made < wanted; made++) {
    // Every process dies once; later ones are chosen at random.
    const name = made < victims.length ? victims[made]! : random.pick(victims);
    due.set(random.between(1, Math.max(1, steps - 1)), { name, downMs: random.between(...downMs) });
  }
  const busy = new Map<string, Promise<void>>();
  const log: string[] = [];
  let count = 0;

  const strike = async (name: string, pauseMs: number): Promise<void> => {
    await cluster.kill(name);
    count++;
    await pause(pauseMs);
    await cluster.start(name);
  };

  return {
    at(step) {
      const next = due.get(step);
      if (next === undefined) return;
      log.push(`step ${step}: ${next.name} killed, back after ${next.downMs} ms`);
      // A process that is still down is killed again only after it came back.
      const before = busy.get(next.name) ?? Promise.resolve();
      const after = before.then(() => strike(next.name, next.downMs));
      after.catch(() => {});
      busy.set(next.name, after);
    },
    async settled() {
      await Promise.all(busy.values());
    },
    count: () => count,
    log,
  };
}
