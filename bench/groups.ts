/**
 * The two cases of groups. Their servers stay up together and take turns, one round each. Filling groups and connecting
 * thousands for every round would take minutes. A server without a turn is idle.
 */
import { startBroadcast, startCluster, type Server } from './cluster.ts';
import type { System } from './connect-user.ts';
import {
  measureGroup,
  measureIdleUse,
  openTarget,
  warmUp,
  type GroupRun,
  type GroupSize,
  type GroupTarget,
  type Turn,
} from './group-target.ts';
import { openFileLimit } from './proc.ts';
import { withServer } from './with-server.ts';

export type GroupSystem = 'fanout' | 'restante' | 'bare';
export type GroupCase = {
  name: 'large-group' | 'huge-group';
  system: GroupSystem;
  size: GroupSize;
  createdMs: number | null;
  groupBytes: number | null;
  runs: GroupRun[];
  faults: ReturnType<GroupTarget['audience']['faults']>;
};

/** Members above which a group is large; with `neverLarge`, no group is. */
const largeAbove = '500';
const neverLarge = '100000';

const largeGroup: GroupSize = { members: 10_000, online: 2000 };
const hugeGroup: GroupSize = { members: 100_000, online: 200 };
/** A message written to every inbox takes long. The time limit makes those fewer, and still enough. */
const warming: Turn = { least: 5, most: 40, withinMs: 1000 };
const measuring: Turn = { least: 8, most: 70, withinMs: 2500 };
const burst = 5;
/** After this time no round begins, so a busy machine runs fewer rounds. */
const newRoundWithinMs = 50_000;
/** Twice the interval at which a gateway renews its registrations in Redis. */
const idleMs = 9000;

/** Files that this process has open in addition to the sockets of three audiences. */
const spareFiles = 200;

type Contender = { system: GroupSystem; target: GroupTarget };
export type Say = {
  run: (name: GroupCase['name'], system: GroupSystem, round: number, run: GroupRun) => void;
  text: (text: string) => void;
};

function caseOf(name: GroupCase['name'], size: GroupSize, { system, target }: Contender, runs: GroupRun[]): GroupCase {
  const { createdMs, groupBytes, audience } = target;
  return { name, system, size, createdMs, groupBytes, runs, faults: audience.faults() };
}

/** Opens the group on the server, uses it, and closes it; undefined if the server refuses a group of this size. */
async function withTarget<T>(
  server: Server,
  system: System,
  size: GroupSize,
  say: Say,
  use: (target: GroupTarget) => Promise<T>,
): Promise<T | undefined> {
  const target = await openTarget(server, system, size);
  if (typeof target === 'string') {
    say.text(`       ${size.members} members skipped: ${target}`);
    return undefined;
  }
  try {
    return await Promise.race([use(target), target.audience.failed, server.failed]);
  } finally {
    await target.close();
  }
}

export function runLargeGroup(env: NodeJS.ProcessEnv, rounds: number, say: Say): Promise<GroupCase[]> {
  const lastRoundBy = performance.now() + newRoundWithinMs;
  const size = {
    ...largeGroup,
    online: Math.min(largeGroup.online, Math.floor((openFileLimit() - spareFiles) / 3) - 1),
  };
  const measured = async (contenders: Contender[]): Promise<GroupCase[]> => {
    for (const { target } of contenders) await warmUp(target, warming);
    await measureIdleUse(
      contenders.map(({ target }) => target),
      idleMs,
    );
    const runs: Record<GroupSystem, GroupRun[]> = { fanout: [], restante: [], bare: [] };
    for (let round = 1; round <= rounds; round += 1) {
      if (round > 1 && performance.now() > lastRoundBy) {
        say.text(`       large-group: no time for more than ${round - 1} of ${rounds} rounds`);
        break;
      }
      for (const { system, target } of contenders) {
        const run = await measureGroup(target, measuring, burst);
        runs[system].push(run);
        say.run('large-group', system, round, run);
      }
    }
    return contenders.map((contender) => caseOf('large-group', size, contender, runs[contender.system]));
  };
  const starts: { system: GroupSystem; start: () => Promise<Server> }[] = [
    { system: 'fanout', start: () => startCluster({ env: { ...env, FANOUT_MAX_MEMBERS: neverLarge } }) },
    { system: 'restante', start: () => startCluster({ env: { ...env, FANOUT_MAX_MEMBERS: largeAbove } }) },
    { system: 'bare', start: () => startBroadcast({ env }) },
  ];
  /** Starts each server when the previous one is at rest. */
  const withNext = async (contenders: Contender[]): Promise<GroupCase[]> => {
    const next = starts[contenders.length];
    if (next === undefined) return measured(contenders);
    const { system, start } = next;
    return withServer(start(), async (server) => {
      const cases = await withTarget(server, system === 'bare' ? 'echo' : 'restante', size, say, (target) =>
        withNext([...contenders, { system, target }]),
      );
      return cases ?? [];
    });
  };
  return withNext([]);
}

/** Only the large route: written to inboxes, a message for this many members takes as long as a whole round. */
export const runHugeGroup = (env: NodeJS.ProcessEnv, say: Say): Promise<GroupCase[]> =>
  withServer(startCluster({ env: { ...env, FANOUT_MAX_MEMBERS: largeAbove } }), async (server) => {
    const found = await withTarget(server, 'restante', hugeGroup, say, async (target) => {
      await warmUp(target, warming);
      await measureIdleUse([target], idleMs / 2);
      const run = await measureGroup(target, measuring, burst);
      say.run('huge-group', 'restante', 1, run);
      return caseOf('huge-group', hugeGroup, { system: 'restante', target }, [run]);
    });
    return found === undefined ? [] : [found];
  });
