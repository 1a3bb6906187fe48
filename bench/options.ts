/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';

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
};

export const usage = `usage: npm run bench -- [--quick] [--seconds N] [--repeat N] [--only ${parts.join(',')}]`;

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`--${name} must be a number above 0, not ${text}`);
  return value;
}

const isPart = (text: string): text is Part => (parts as readonly string[]).includes(text);

/** Throws with a sentence if an argument is not understood. */
export function readOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      seconds: { type: 'string' },
      repeat: { type: 'string' },
      only: { type: 'string' },
    },
  });
  const { quick } = values;
  const only = values.only?.split(',').map((part) => {
    if (!isPart(part)) throw new Error(`--only knows ${parts.join(', ')}, not ${part}`);
    return part;
  });
  return {
    only: new Set(only ?? (quick ? shortParts : parts)),
    measureMs: positive('seconds', values.seconds ?? (quick ? '2' : '5')) * 1000,
    warmUpMs: quick ? 1000 : 1500,
    repeat: Math.ceil(positive('repeat', values.repeat ?? (quick ? '1' : '3'))),
    idleConnections: quick ? 1000 : 3000,
    searchMessages: quick ? 100_000 : 1_000_000,
    quietPatienceMs: quick ? 3000 : 10_000,
  };
}
