/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';
import { peerCases, type PeerCase } from './peers/cases.ts';
import { comparedNames, type ComparedName } from './peers/systems.ts';

const shortParts = ['echo', 'saturation', 'overload', 'low-load', 'idle'] as const;
/** Left out of a quick run unless they are named. */
const longParts = ['large-group', 'huge-group', 'levels', 'receipts', 'amends', 'search'] as const;
const parts = [...shortParts, ...longParts] as const;
export type Part = (typeof parts)[number];

export type BenchOptions = {
  /**
   * The parts to run. `echo` is the other side of `saturation` and `low-load`; named alone, it runs both by itself.
   * `overload` needs `saturation`.
   */
  only: Set<Part>;
  measureMs: number;
  warmUpMs: number;
  repeat: number;
  idleConnections: number;
  /** Messages of the search index. */
  searchMessages: number;
  /** Maximum wait of a round for a quiet machine. */
  quietPatienceMs: number;
  /** Whether Restante runs as one process under the loads of `echo`, `saturation`, `overload` and `low-load`. */
  single: boolean;
  /** Whether Restante is compared with peers, in place of the parts. */
  peers: boolean;
  /** What is compared then, and by which loads. */
  systems: Set<ComparedName>;
  cases: Set<PeerCase>;
  /** Earlier results, whose ratios this run's are compared with. */
  compare: string | null;
  /** The share by which a ratio may get worse then. */
  tolerance: number;
  /** Earlier results, to be drawn without measuring. */
  from: string | null;
  /** Where the chart is written, and the results beside it; null: nowhere. */
  chart: string | null;
};

/** The charts that the README shows, which whole runs draw again. */
const usualChart = 'docs/bench.svg';
const usualPeersChart = 'docs/bench-peers.svg';

/** Repeated runs on a quiet machine differ by up to a fifth. */
const usualTolerance = 0.2;

export const usage = `usage: npm run bench -- [--quick] [--seconds N] [--repeat N] [--only ${parts.join(',')}]
                       [--single]
                       [--chart FILE.svg] [--from FILE.json]
                       [--compare FILE.json] [--tolerance N]
       npm run bench -- --peers [--systems ${comparedNames.join(',')}]
                       [--only ${peerCases.join(',')}]

  --single          runs Restante as one process under the loads
  --chart FILE.svg  draws a chart, and keeps the results beside it as FILE.json (a whole run: ${usualChart})
  --peers           compares with other servers, in place of all else (draws ${usualPeersChart})
  --from FILE.json  draws the chart of such results, and measures nothing
  --compare FILE    compares the ratios with those that such a file has; the exit code is 1 if one got worse by more
                    than the tolerance, a share (default ${usualTolerance})`;

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`--${name} must be a number above 0, not ${text}`);
  return value;
}

/** The names in a list; undefined if there is no list. Throws if one is not known. */
function namesIn<Name extends string>(
  option: string,
  text: string | undefined,
  known: readonly Name[],
): Set<Name> | undefined {
  if (text === undefined) return undefined;
  const names = text.split(',').map((name) => {
    const found = known.find((one) => one === name);
    if (found === undefined) throw new Error(`--${option} knows ${known.join(', ')}, not ${name}`);
    return found;
  });
  return new Set(names);
}

/** Throws with a sentence if an argument is not understood. */
export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      repeat: { type: 'string' },
      only: { type: 'string' },
      single: { type: 'boolean', default: false },
      peers: { type: 'boolean', default: false },
      systems: { type: 'string' },
      chart: { type: 'string' },
      from: { type: 'string' },
      compare: { type: 'string' },
      tolerance: { type: 'string', default: String(usualTolerance) },
    },
  });
  const { quick, peers, single } = values;
  if (!peers && values.systems !== undefined) throw new Error('--systems needs --peers');
  const isWhole = !quick && !single && values.only === undefined && values.systems === undefined;
  const isDrawn = isWhole || values.from !== undefined;
  const chart = values.chart ?? (isDrawn ? (peers ? usualPeersChart : usualChart) : null);
  if (chart !== null && !chart.endsWith('.svg'))
    throw new Error(`--chart must be a file that ends with .svg, not ${chart}`);
  return {
    single,
    peers,
    systems: namesIn('systems', values.systems, comparedNames) ?? new Set(comparedNames),
    cases: (peers ? namesIn('only', values.only, peerCases) : undefined) ?? new Set(peerCases),
    only: (peers ? undefined : namesIn('only', values.only, parts)) ?? new Set(quick ? shortParts : parts),
    measureMs: positive('seconds', values.seconds ?? (quick ? '2' : '5')) * 1000,
    warmUpMs: quick ? 1000 : 1500,
    repeat: Math.ceil(positive('repeat', values.repeat ?? (quick ? '1' : '3'))),
    idleConnections: quick ? 1000 : 3000,
    searchMessages: quick ? 100_000 : 1_000_000,
    quietPatienceMs: quick ? 3000 : 10_000,
    from: values.from ?? null,
    compare: values.compare ?? null,
    tolerance: positive('tolerance', values.tolerance),
    chart,
  };
}
