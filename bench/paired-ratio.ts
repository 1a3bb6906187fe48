import type { LoadRun } from './load-run.ts';
import type { LoadResult } from './load.ts';
import { median } from './median.ts';

/**
 * A figure of one system to that of another. The two of a round ran one after the other, so each round gives a ratio.
 * The result is the median: a slow moment of the machine slows both. Null if no round has both.
 */
export function pairedRatio<Name extends string, System extends string>(
  runs: readonly LoadRun<Name, System>[],
  name: Name,
  [ours, theirs]: readonly [System, System],
  pick: (result: LoadResult) => number | null,
): number | null {
  const of = (system: System): LoadRun<Name, System>[] =>
    runs.filter((run) => run.name === name && run.system === system);
  const ratios = of(ours).flatMap((one) => {
    const other = of(theirs).find(({ round }) => round === one.round);
    const [above, below] = [pick(one.result), other === undefined ? null : pick(other.result)];
    return above !== null && below !== null && below > 0 ? [above / below] : [];
  });
  return ratios.length === 0 ? null : Number(median(ratios).toFixed(4));
}
