/** The loads that every system of a comparison gets, in running order. */
import type { LoadOptions, LoadResult, LoadShape } from '../load.ts';
import { overloadPatienceMs } from '../overload.ts';

export const peerCases = ['low-load', 'saturation', 'rate-2000', 'rate-4000', 'in-50-ms', 'overload'] as const;
export type PeerCase = (typeof peerCases)[number];

/** Runs one load; the system and its users are the caller's. */
export type RunShape = (
  shape: LoadShape,
  times: Pick<LoadOptions, 'warmUpMs' | 'measureMs' | 'patienceMs'>,
) => Promise<LoadResult>;

export type Times = { warmUpMs: number; measureMs: number; patienceMs: number };

/** The most that the 99th percentile may take, in ms. */
export const boundMs = 50;
/** Each one halves the distance to the highest rate within the bound: four are a sixteenth of saturation. */
const searchSteps = 4;
/** For each step of the search. */
const searchTimes = { warmUpMs: 500, measureMs: 2000 };
/** A smaller share of what was sent means that the rest is waiting somewhere. */
const keptUp = 0.97;

const withinBound = ({ perSecond, p99Ms, lost }: LoadResult, rate: number): boolean =>
  p99Ms < boundMs && perSecond >= keptUp * rate && lost === 0;

/** The highest rate whose 99th percentile is below the bound, as a share of `most`. Null if there is none. */
export async function findHighestRate(
  most: number,
  measure: (perSecond: number) => Promise<LoadResult>,
): Promise<LoadResult | null> {
  let best: LoadResult | null = null;
  let [low, high] = [0, most];
  for (let step = 0; step < searchSteps; step += 1) {
    const rate = Math.round((low + high) / 2);
    const result = await measure(rate);
    if (withinBound(result, rate)) {
      best = result;
      low = rate;
    } else high = rate;
  }
  return best;
}

/**
 * Runs these loads against one server. All but the lowest need to know its saturation, which is measured first. Rates
 * that the server did not reach there are left out: they would measure a queue. `take` gets each result; `leftOut` what
 * has none, and why.
 */
export async function runCases(
  cases: ReadonlySet<PeerCase>,
  run: RunShape,
  { warmUpMs, measureMs, patienceMs }: Times,
  take: (name: PeerCase, result: LoadResult) => void,
  leftOut: (name: PeerCase, why: string) => void,
): Promise<void> {
  const times = { warmUpMs, measureMs, patienceMs };
  if (cases.has('low-load')) take('low-load', await run({ kind: 'open', perSecond: 200 }, times));
  if ([...cases].every((name) => name === 'low-load')) return;
  const saturated = await run({ kind: 'closed', window: 4 }, times);
  take('saturation', saturated);
  const most = saturated.perSecond;
  for (const perSecond of [2000, 4000] as const) {
    const name = `rate-${perSecond}` as const;
    if (!cases.has(name)) continue;
    if (perSecond > most) leftOut(name, 'more than at saturation');
    else take(name, await run({ kind: 'open', perSecond }, times));
  }
  if (cases.has('in-50-ms')) {
    const best = await findHighestRate(most, (perSecond) =>
      run({ kind: 'open', perSecond }, { ...searchTimes, patienceMs }),
    );
    if (best) take('in-50-ms', best);
    else leftOut('in-50-ms', `no rate from ${Math.round(most / 2 ** searchSteps)} a second on`);
  }
  if (!cases.has('overload')) return;
  take('overload', await run({ kind: 'open', perSecond: 2 * most }, { ...times, patienceMs: overloadPatienceMs }));
}
