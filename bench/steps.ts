import type { BenchOptions } from './options.ts';
import type { LoadName } from './summary.ts';

/** How many steps a run tells of, for its progress. `chosen`: the loads of its rounds. */
export function stepsOf({ only, repeat }: BenchOptions, chosen: readonly LoadName[]): number {
  const waiting = chosen.length > 0 ? 1 : 0;
  const ofEcho = only.has('echo') ? chosen.filter((name) => name !== 'overload').length : 0;
  const ofRestante = chosen.filter(
    (name) => only.has(name) && (name !== 'overload' || chosen.includes('saturation')),
  ).length;
  const idle = only.has('idle') ? 2 : 0;
  const alone = (['levels', 'receipts', 'amends', 'search'] as const).filter((part) => only.has(part)).length;
  const once = (['large-group', 'huge-group', 'search'] as const).filter((part) => only.has(part)).length;
  return repeat * (waiting + ofEcho + ofRestante + idle + alone) + once;
}
