/** The rounds of a comparison: in each, every system in turn, alone, with fresh processes. */
import { startCluster, startEcho, type Server } from '../cluster.ts';
import { waitForQuiet } from '../quiet.ts';
import { runLoad } from '../run-load.ts';
import { loadRow } from '../table.ts';
import { withServer } from '../with-server.ts';
import { runCases, type PeerCase, type Times } from './cases.ts';
import { isPeer } from './clients.ts';
import { peers } from './servers.ts';
import type { ComparedName, ComparedRun } from './systems.ts';

const users = 200;

const startOf = (name: ComparedName, env: NodeJS.ProcessEnv): Promise<Server> =>
  name === 'echo' ? startEcho({ env }) : name === 'restante' ? startCluster({ env }) : peers[name].start(env);

/** The systems that can be measured here. `say` is told why others are skipped. */
export async function availableOf(
  names: readonly ComparedName[],
  say: (text: string) => void,
): Promise<ComparedName[]> {
  const available: ComparedName[] = [];
  for (const name of names) {
    const missing = isPeer(name) ? await peers[name].missing() : null;
    if (missing === null) available.push(name);
    else say(`       skipped ${name}: ${missing}`);
  }
  return available;
}

/** The order of a round: each begins with another system, so that none always follows the same one's heat. */
export const orderOf = <T>(names: readonly T[], round: number): T[] => {
  const first = (round - 1) % names.length;
  return [...names.slice(first), ...names.slice(0, first)];
};

export type RoundOptions = {
  names: readonly ComparedName[];
  cases: ReadonlySet<PeerCase>;
  round: number;
  times: Times;
  /** Maximum wait for a quiet machine, before each system: one that is busy for one of them only spoils the ratio. */
  quietPatienceMs: number;
  env: NodeJS.ProcessEnv;
  say: (text: string) => void;
  doing: (name: ComparedName) => void;
  /** After it, what fails ends the run. */
  signal: AbortSignal;
};

export type ComparedRound = {
  runs: ComparedRun[];
  /** Systems that failed: the rest of their loads is missing. */
  failed: ComparedName[];
};

/** One round. If a system fails, the others are measured all the same. */
export async function runComparedRound(options: RoundOptions): Promise<ComparedRound> {
  const { names, cases, round, times, quietPatienceMs, env, say, doing, signal } = options;
  const runs: ComparedRun[] = [];
  const failed: ComparedName[] = [];
  for (const system of orderOf(names, round)) {
    doing(system);
    await waitForQuiet(quietPatienceMs, signal);
    const take = (name: PeerCase, result: ComparedRun['result']): void => {
      runs.push({ name, system, round, result });
      say(loadRow(runs.at(-1)!));
    };
    const leftOut = (name: string, why: string): void => say(`       ${name} of ${system} left out: ${why}`);
    try {
      await withServer(startOf(system, env), (server) =>
        runCases(cases, (shape, each) => runLoad(server, { system, users, shape, ...each }, env), times, take, leftOut),
      );
    } catch (error) {
      if (signal.aborted) throw error;
      leftOut('the rest', (error as Error).message);
      failed.push(system);
    }
  }
  return { runs, failed };
}
