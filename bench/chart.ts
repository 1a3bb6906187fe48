/** The chart of a benchmark: from the object of its last line to bars. */
import { type Bar, drawChart, type Panel } from './svg.ts';

/** What the chart needs of a case; others are left out. */
type Case = {
  name: string;
  system: string;
  delivered_per_s: number | null;
  p50_ms: number | null;
  p99_ms: number | null;
  members?: number;
  online?: number;
  resident_bytes_per_connection?: number | null;
};

/** The object of the last line. `commit` may be known of figures that are kept. */
export type Results = { machine: string; date: string; cases: Case[]; commit?: string };

const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const count = (value: number): string => numbers.format(value);
/** Three digits say all that a measurement knows. */
const ms = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(1)} ms`;

type Row = [label: string, value: number | null | undefined, ours: boolean];

function barsOf(rows: Row[], say: (value: number) => string): Bar[] {
  return rows.flatMap(([label, value, ours]): Bar[] =>
    value === null || value === undefined ? [] : [{ label, value, text: say(value), ours }],
  );
}

/** The panels of what was measured: one without a bar of Restante is left out. */
export function panelsOf({ cases }: Results): Panel[] {
  const find = (name: string, system: string): Case | undefined =>
    cases.find((one) => one.name === name && one.system === system);
  const group = find('large-group', 'restante');
  const panels: Panel[] = [
    {
      title: 'Messages delivered a second',
      note: '100 pairs of users who write as fast as they can; more is better',
      bars: barsOf(
        [
          ['bare echo', find('saturation', 'echo')?.delivered_per_s, false],
          ['Restante', find('saturation', 'restante')?.delivered_per_s, true],
          ['Restante, twice the load', find('overload', 'restante')?.delivered_per_s, true],
        ],
        count,
      ),
    },
    {
      title: 'From send to delivery',
      note: '200 messages a second; less is better',
      bars: barsOf(
        [
          ['bare echo, median', find('low-load', 'echo')?.p50_ms, false],
          ['Restante, median', find('low-load', 'restante')?.p50_ms, true],
          ['bare echo, 99 of 100', find('low-load', 'echo')?.p99_ms, false],
          ['Restante, 99 of 100', find('low-load', 'restante')?.p99_ms, true],
        ],
        ms,
      ),
    },
    {
      title: 'Until everybody in a group has it',
      note: `${count(group?.members ?? 0)} members, ${count(group?.online ?? 0)} online; less is better`,
      bars: barsOf(
        [
          ['bare broadcast', find('large-group', 'bare')?.p50_ms, false],
          ['Restante', group?.p50_ms, true],
          ['an inbox entry each', find('large-group', 'fanout')?.p50_ms, false],
        ],
        ms,
      ),
    },
    {
      title: 'Memory of an idle connection',
      note: 'resident bytes; less is better',
      bars: barsOf(
        [
          ['bare ws', find('idle', 'bare')?.resident_bytes_per_connection, false],
          ['Restante', find('idle', 'restante')?.resident_bytes_per_connection, true],
        ],
        count,
      ),
    },
  ];
  return panels.filter(({ bars }) => bars.some(({ ours }) => ours));
}

const sentenceOf = ({ title, bars }: Panel): string =>
  `${title}: ${bars.map(({ label, text }) => `${label} ${text}`).join('; ')}.`;

/** An SVG. Null if nothing of it was measured. */
export function chartOf(results: Results): string | null {
  const panels = panelsOf(results);
  if (panels.length === 0) return null;
  const at = results.commit === undefined ? '' : `, commit ${results.commit}`;
  return drawChart(panels, {
    title: 'Restante beside bare WebSocket servers, which store and order nothing',
    description: panels.map(sentenceOf).join(' '),
    foot: [
      'Grey: servers of the same WebSocket library, which store and order nothing; and a group by inbox entries.',
      `${results.date}, ${results.machine}${at}`,
    ],
  });
}
