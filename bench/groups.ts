/**
 * The two cases of groups. Their servers stay up together and take turns, a round of each after the other: to fill
 * groups and connect thousands for every round anew would take minutes. Who has no turn is idle.
 */
import { startBroadcast, startCluster, type Server } from './cluster.ts';
import type { System } from './connect-user.ts';
import { measureGroup, measureIdleUse, openTarget, warmUp, type GroupRun, type GroupSize, type GroupTarget } from './group-target.ts';
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

/** Above so many members a group is large; for the other way no group is. */
const largeAbove = '500';
const neverLarge = '100000';

const largeGroup: GroupSize = { members: 10_000, online: 2000 };
const hugeGroup: GroupSize = { members: 100_000, online: 200 };
/** A message that is written to every inbox takes long, so fewer of them are measured. */
const messagesOf = { fanout: 20, restante: 150, bare: 150 } as const;
const warmUpOf = { fanout: 5, restante: 30, bare: 30 } as const;
const burst = 10;
const hugeMessages = 50;
/** Twice the time in which a gateway renews what it has registered in Redis. */
const idleMs = 9000;

type Turn = { system: GroupSystem; target: GroupTarget };
export type Say = { run: (name: GroupCase['name'], system: GroupSystem, round: number, run: GroupRun) => void; text: (text: string) => void };

const caseOf = (name: GroupCase['name'], size: GroupSize, { system, target }: Turn, runs: GroupRun[]): GroupCase => {
  const { createdMs, groupBytes, audience } = target;
  return { name, system, size, createdMs, groupBytes, runs, faults: audience.faults() };
};

/** Opens the group on the server, uses it, and closes; undefined when the server refuses a group of this size. */
const withTarget = async <T>(server: Server, system: System, size: GroupSize, say: Say, use: (target: GroupTarget) => Promise<T>): Promise<T | undefined> => {
  const target = await openTarget(server, system, size);
  if (typeof target === 'string') return void say.text(`       skipped: ${target}`);
  try {
    return await Promise.race([use(target), target.audience.failed, server.failed]);
  } finally {
    await target.close();
  }
};

export const runLargeGroup = (env: NodeJS.ProcessEnv, rounds: number, say: Say): Promise<GroupCase[]> => {
  const measured = async (turns: Turn[]): Promise<GroupCase[]> => {
    for (const { system, target } of turns) await warmUp(target, warmUpOf[system]);
    await measureIdleUse(turns.map(({ target }) => target), idleMs);
    const runs: Record<GroupSystem, GroupRun[]> = { fanout: [], restante: [], bare: [] };
    for (let round = 1; round <= rounds; round += 1) {
      for (const { system, target } of turns) {
        const run = await measureGroup(target, messagesOf[system], burst);
        runs[system].push(run);
        say.run('large-group', system, round, run);
      }
    }
    return turns.map((turn) => caseOf('large-group', largeGroup, turn, runs[turn.system]));
  };
  const starts: { system: GroupSystem; start: () => Promise<Server> }[] = [
    { system: 'fanout', start: () => startCluster({ env: { ...env, FANOUT_MAX_MEMBERS: neverLarge } }) },
    { system: 'restante', start: () => startCluster({ env: { ...env, FANOUT_MAX_MEMBERS: largeAbove } }) },
    { system: 'bare', start: () => startBroadcast({ env }) },
  ];
  /** Each server is started when the one before is at rest. */
  const withNext = async (turns: Turn[]): Promise<GroupCase[]> => {
    const next = starts[turns.length];
    if (next === undefined) return measured(turns);
    const { system, start } = next;
    return withServer(start(), async (server) => {
      const cases = await withTarget(server, system === 'bare' ? 'echo' : 'restante', largeGroup, say, (target) =>
        withNext([...turns, { system, target }]));
      return cases ?? [];
    });
  };
  return withNext([]);
};

/** Only the way that is made for it: written to inboxes, a message of so many members takes as long as a whole round. */
export const runHugeGroup = (env: NodeJS.ProcessEnv, say: Say): Promise<GroupCase[]> =>
  withServer(startCluster({ env: { ...env, FANOUT_MAX_MEMBERS: largeAbove } }), async (server) => {
    const found = await withTarget(server, 'restante', hugeGroup, say, async (target) => {
      await warmUp(target, warmUpOf.restante);
      await measureIdleUse([target], idleMs / 2);
      const run = await measureGroup(target, hugeMessages, burst);
      say.run('huge-group', 'restante', 1, run);
      return caseOf('huge-group', hugeGroup, { system: 'restante', target }, [run]);
    });
    return found === undefined ? [] : [found];
  });
