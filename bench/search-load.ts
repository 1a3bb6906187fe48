/**
 * What searching costs those who send: pairs of users at saturation, on a cluster that indexes all of it and on one
 * without search. Both live for all rounds and are measured in turn, so a machine whose speed drifts is as slow for one
 * as for the other. No turn begins before the index has caught up. And how far the index is behind, at saturation and
 * at half of it.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { startCluster, type Server } from './cluster.ts';
import type { LoadResult, LoadShape } from './load.ts';
import { median } from './median.ts';
import { runLoad } from './run-load.ts';
import { withServer } from './with-server.ts';

export type SearchLoadRun = {
  system: 'search' | 'no-search';
  result: LoadResult;
  /** With search: seconds behind, the 99th percentile of readings. */
  lag: { saturation: number; half: number } | null;
};

type Times = { warmUpMs: number; measureMs: number; patienceMs: number };

const users = 200;
const readEveryMs = 200;
const systems = ['search', 'no-search'] as const;
/** The index catches up after a load within this time (ms), or its lag at half the load says little. */
const caughtUpWithinMs = 60_000;

async function readLag(port: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return Number(/^restante_search_lag_seconds\S* (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}

/** Reads the lag until `work` is done. */
async function lagDuring<T>(port: number, work: Promise<T>): Promise<{ lag: number; value: T }> {
  const lags: number[] = [];
  let done = false;
  const reading = (async () => {
    for (; !done; await pause(readEveryMs)) lags.push(await readLag(port));
  })();
  const value = await work.finally(() => (done = true));
  await reading;
  const sorted = lags.filter((lag) => !Number.isNaN(lag)).toSorted((a, b) => a - b);
  return { lag: sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Number.NaN, value };
}

async function caughtUp(port: number): Promise<void> {
  const deadline = performance.now() + caughtUpWithinMs;
  while (!((await readLag(port)) < 1) && performance.now() < deadline) await pause(readEveryMs);
}

/** Measures all rounds. Says when each begins, and what each side showed. */
export async function runSearchLoads(
  env: NodeJS.ProcessEnv,
  rounds: number,
  times: Times,
  say: { begins(round: number): void; showed(round: number, run: SearchLoadRun): void },
): Promise<SearchLoadRun[]> {
  const runs: SearchLoadRun[] = [];
  const withSettings = <T>(settings: NodeJS.ProcessEnv, use: (server: Server) => Promise<T>): Promise<T> =>
    withServer(startCluster({ env: { ...env, ...settings } }), use);

  async function measure(system: SearchLoadRun['system'], server: Server, port: number): Promise<SearchLoadRun> {
    const load = (shape: LoadShape): Promise<LoadResult> =>
      runLoad(server, { system: 'restante', users, shape, ...times }, env);
    if (system === 'no-search') return { system, result: await load({ kind: 'closed', window: 4 }), lag: null };
    const { lag: saturation, value: result } = await lagDuring(port, load({ kind: 'closed', window: 4 }));
    await caughtUp(port);
    const { lag: half } = await lagDuring(port, load({ kind: 'open', perSecond: result.perSecond / 2 }));
    return { system, result, lag: { saturation, half } };
  }

  await withSettings({ SEARCH_URL: '', SEARCH_KINDS: 'bench' }, (searching) =>
    withSettings({ SEARCH_URL: 'off' }, async (plain) => {
      const port = searching.ports['search']!;
      for (let round = 1; round <= rounds; round++) {
        say.begins(round);
        for (const system of round % 2 === 0 ? systems : systems.toReversed()) {
          await caughtUp(port);
          const run = await measure(system, system === 'search' ? searching : plain, port);
          runs.push(run);
          say.showed(round, run);
        }
      }
    }),
  );
  return runs;
}

export const searchLoadRow = (round: number, { system, result, lag }: SearchLoadRun): string =>
  `${String(round).padStart(5)}  search      ${system.padEnd(12)}  ${Math.round(result.perSecond)} delivered/s, ` +
  `p50 ${result.p50Ms.toFixed(2)} ms, ` +
  (lag === null ? '' : `behind ${lag.saturation.toFixed(1)} s at saturation, ${lag.half.toFixed(1)} s at half, `) +
  `foreign ${result.foreignCores.toFixed(2)}, lost ${result.lost}`;

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Deliveries a second with search to those without, in one round; and the lag. Medians over the rounds. */
export function searchLoadRatios(runs: readonly SearchLoadRun[]) {
  const rates = (system: SearchLoadRun['system']): number[] =>
    runs.filter((run) => run.system === system).map(({ result }) => result.perSecond);
  const without = rates('no-search');
  const ratios = rates('search').map((rate, round) => rate / without[round]!);
  const lags = runs.flatMap(({ lag }) => (lag === null ? [] : [lag.half]));
  return {
    search_sends_to_without: ratios.length === 0 ? null : rounded(median(ratios), 3),
    search_lag_seconds_at_half: lags.length === 0 ? null : rounded(median(lags), 1),
  };
}
