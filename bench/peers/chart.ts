/** The chart of a comparison: from the object of its last line to bars, of every system that was measured. */
import { median } from '../median.ts';
import { quietCores } from '../quiet.ts';
import { type Bar, drawChart, type Panel } from '../svg.ts';
import type { PeerCase } from './cases.ts';
import type { PeerSummary } from './summary.ts';
import { comparedNames } from './systems.ts';
import { titles } from './titles.ts';

export type PeerResults = Omit<PeerSummary, 'goals'>;
export type PeerResult = PeerResults['cases'][number];

const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
export const count = (value: number): string => numbers.format(value);
/** Three digits say all that a measurement knows. */
export const short = (value: number): string =>
  value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : count(value);

/** The figures of a case by system, in the order of the tables. */
export const resultsOf = ({ cases }: PeerResults, name: PeerCase): PeerResult[] =>
  comparedNames.flatMap((system) => cases.filter((one) => one.name === name && one.system === system));

/** The cores that other work took in the middle of a comparison. */
export const foreignCores = ({ cases }: PeerResults): number =>
  median(cases.flatMap(({ foreign_cores }) => foreign_cores));

export const cpuUs = ({ cpu_s_per_1k }: PeerResult): number | null =>
  cpu_s_per_1k === null ? null : cpu_s_per_1k * 1000;

export function peerPanelsOf(results: PeerResults): Panel[] {
  const bars = (name: PeerCase, pick: (one: PeerResult) => number | null, say: (value: number) => string): Bar[] =>
    resultsOf(results, name).flatMap((one): Bar[] => {
      const value = pick(one);
      const { system } = one;
      return value === null ? [] : [{ label: titles[system], value, text: say(value), ours: system === 'restante' }];
    });
  const panels: Panel[] = [
    {
      title: 'Messages delivered a second',
      note: '100 pairs of users who write as fast as they can; more is better',
      bars: bars('saturation', ({ delivered_per_s }) => delivered_per_s, count),
    },
    {
      title: 'CPU of a message',
      note: 'microseconds of all server processes at that rate; less is better',
      bars: bars('saturation', cpuUs, short),
    },
    {
      title: 'From send to delivery, median',
      note: '2,000 messages a second; less is better',
      bars: bars(
        'rate-2000',
        ({ p50_ms }) => p50_ms,
        (value) => `${short(value)} ms`,
      ),
    },
    {
      title: 'Messages a second within 50 ms',
      note: 'the highest rate at which 99 of 100 are; more is better',
      bars: bars('in-50-ms', ({ delivered_per_s }) => delivered_per_s, count),
    },
  ];
  return panels.filter(({ bars: drawn }) => drawn.some(({ ours }) => ours));
}

const sentenceOf = ({ title, bars }: Panel): string =>
  `${title}: ${bars.map(({ label, text }) => `${label} ${text}`).join('; ')}.`;

/** An SVG. Null if Restante was not measured. */
export function peerChartOf(results: PeerResults): string | null {
  const panels = peerPanelsOf(results);
  if (panels.length === 0) return null;
  const foreign = foreignCores(results);
  const at = results.commit === undefined ? '' : `, commit ${results.commit}`;
  return drawChart(panels, {
    title: 'Restante beside other servers that carry messages between users',
    description: panels.map(sentenceOf).join(' '),
    foot: [
      `No two of them promise the same. ${results.load}`,
      `${results.date}, ${results.machine}${at}`,
      ...(foreign > quietCores
        ? [`Other work took ${foreign.toFixed(2)} of its cores meanwhile: ratios and CPU say something, rates do not.`]
        : []),
    ],
  });
}
