/** From the runs of a comparison to its last line: cases, Restante's ratio to each other system, and goals. */
import { commit } from '../commit.ts';
import { machine } from '../machine.ts';
import { median } from '../median.ts';
import { pairedRatio } from '../paired-ratio.ts';
import { loadCase, usPerMessage } from '../summary.ts';
import type { PeerCase } from './cases.ts';
import type { ComparedName, ComparedRun } from './systems.ts';

/** The goals: `floor` is the minimum, `ceiling` the maximum. */
export const peerGoals: Record<string, { floor: number } | { ceiling: number }> = {
  saturation_to_echo: { floor: 0.22 },
  'saturation_to_socket.io': { floor: 1 },
  saturation_to_nats: { floor: 1 },
  saturation_to_centrifugo: { floor: 0.8 },
  saturation_cpu_to_echo: { ceiling: 7 },
  low_load_p50_to_echo: { ceiling: 5 },
  rate_2000_p50_to_centrifugo: { ceiling: 3 },
  in_50_ms_to_saturation: { floor: 0.6 },
  overload_to_saturation: { floor: 0.93 },
};

/** A case of Restante to its own saturation in the same round: the median over the rounds. */
function toSaturation(runs: readonly ComparedRun[], name: PeerCase): number | null {
  const ours = runs.filter(({ system }) => system === 'restante');
  const ratios = ours
    .filter((run) => run.name === name)
    .flatMap(({ round, result }) => {
      const most = ours.find((run) => run.name === 'saturation' && run.round === round)?.result.perSecond;
      return most ? [result.perSecond / most] : [];
    });
  return ratios.length === 0 ? null : Number(median(ratios).toFixed(3));
}

function ratiosTo(runs: readonly ComparedRun[], other: ComparedName): Record<string, number | null> {
  const pair = ['restante', other] as const;
  return {
    [`saturation_to_${other}`]: pairedRatio(runs, 'saturation', pair, ({ perSecond }) => perSecond),
    [`saturation_cpu_to_${other}`]: pairedRatio(runs, 'saturation', pair, usPerMessage),
    [`low_load_p50_to_${other}`]: pairedRatio(runs, 'low-load', pair, ({ p50Ms }) => p50Ms),
    [`rate_2000_p50_to_${other}`]: pairedRatio(runs, 'rate-2000', pair, ({ p50Ms }) => p50Ms),
    [`in_50_ms_to_${other}`]: pairedRatio(runs, 'in-50-ms', pair, ({ perSecond }) => perSecond),
    [`overload_to_${other}`]: pairedRatio(runs, 'overload', pair, ({ perSecond }) => perSecond),
  };
}

/** Null for a ratio whose one side was not measured. */
export function peerRatios(runs: readonly ComparedRun[]): Record<string, number | null> {
  const others = [...new Set(runs.map(({ system }) => system))].filter((system) => system !== 'restante');
  return {
    in_50_ms_to_saturation: toSaturation(runs, 'in-50-ms'),
    overload_to_saturation: toSaturation(runs, 'overload'),
    ...Object.assign({}, ...others.map((other) => ratiosTo(runs, other))),
  };
}

/** The object of the last line. */
export const summarisePeers = (runs: readonly ComparedRun[], load: string) => ({
  machine: machine(),
  ...commit(),
  date: new Date().toISOString().slice(0, 10),
  load,
  cases: [...Map.groupBy(runs, ({ name, system }) => `${name} ${system}`).values()].map(loadCase),
  ratios: peerRatios(runs),
  goals: peerGoals,
});

export type PeerSummary = ReturnType<typeof summarisePeers>;
