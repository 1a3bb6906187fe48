import type { Figures, ProcessReport } from './processes.ts';

/** What all gateways did together. Latencies (ms) are those of the slowest gateway; null: nothing was measured. */
export type Totals = Omit<Figures, 'settledPerS'> & { connections: number };

function worst(values: (number | null)[]): number | null {
  const timed = values.filter((value) => value !== null);
  return timed.length === 0 ? null : Math.max(...timed);
}

/** `figuresOf`: which figures of a report count, those of the last two seconds or those of the last ten. */
export function totalsOf(reports: readonly ProcessReport[], figuresOf: (report: ProcessReport) => Figures): Totals {
  const gateways = reports.filter(({ role }) => role === 'web');
  const figures = gateways.map(figuresOf);
  const sum = (values: number[]): number => values.reduce((all, value) => all + value, 0);
  return {
    connections: sum(gateways.map((one) => one.connections)),
    acceptedPerS: sum(figures.map((one) => one.acceptedPerS)),
    pushedPerS: sum(figures.map((one) => one.pushedPerS)),
    acceptP50Ms: worst(figures.map((one) => one.acceptP50Ms)),
    acceptP99Ms: worst(figures.map((one) => one.acceptP99Ms)),
    deliverP50Ms: worst(figures.map((one) => one.deliverP50Ms)),
    deliverP99Ms: worst(figures.map((one) => one.deliverP99Ms)),
  };
}
