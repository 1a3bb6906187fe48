/**
 * What receipts cost: pairs of users who confirm and read what they get, on a cluster with receipts and on one without,
 * in turn. Both sides send the same frames.
 */
import { startCluster, type Server } from './cluster.ts';
import type { LoadResult, LoadShape } from './load.ts';
import { median } from './median.ts';
import { openRedisInfo } from './redis-info.ts';
import { runLoad } from './run-load.ts';
import { withServer } from './with-server.ts';

export type ReceiptRun = {
  system: 'receipts' | 'no-receipts';
  /** At saturation. */
  result: LoadResult;
  /** Commands of Redis for each accepted message, scripts' own included, at a fixed rate. */
  commands: number;
};

const users = 200;
/** At which commands are counted: coalescing makes them fewer at higher rates. */
const perSecond = 5000;
const systems = ['receipts', 'no-receipts'] as const;

type Times = { warmUpMs: number; measureMs: number; patienceMs: number };

async function measure(server: Server, env: NodeJS.ProcessEnv, times: Times): Promise<Omit<ReceiptRun, 'system'>> {
  const load = (shape: LoadShape): Promise<LoadResult> =>
    runLoad(server, { system: 'restante', users, shape, reads: true, ...times }, env);
  const result = await load({ kind: 'closed', window: 4 });
  const redis = openRedisInfo(server.redis!);
  try {
    const before = await redis.commands();
    const { accepted } = await load({ kind: 'open', perSecond });
    return { result, commands: ((await redis.commands()) - before) / accepted };
  } finally {
    redis.close();
  }
}

/** One round: both sides, in an order that alternates. */
export async function runReceipts(env: NodeJS.ProcessEnv, round: number, times: Times): Promise<ReceiptRun[]> {
  const runs: ReceiptRun[] = [];
  for (const system of round % 2 === 0 ? systems : systems.toReversed())
    await withServer(startCluster({ env: { ...env, RECEIPTS: system === 'receipts' ? '1' : '0' } }), async (server) => {
      runs.push({ system, ...(await measure(server, env, times)) });
    });
  return runs;
}

export const receiptRow = (round: number, { system, result, commands }: ReceiptRun): string =>
  `${String(round).padStart(5)}  receipts    ${system.padEnd(12)}  ${Math.round(result.perSecond)} delivered/s, ` +
  `p50 ${result.p50Ms.toFixed(2)} ms, ${commands.toFixed(2)} commands of Redis a message, ` +
  `foreign ${result.foreignCores.toFixed(2)}, lost ${result.lost}`;

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

/** The rounds of one side as a case of the last line. */
export function receiptCase(runs: ReceiptRun[]) {
  const middle = (pick: (run: ReceiptRun) => number): number => median(runs.map(pick));
  const sum = (pick: (result: LoadResult) => number): number =>
    runs.reduce((total, { result }) => total + pick(result), 0);
  return {
    name: 'receipts',
    system: runs[0]!.system,
    delivered_per_s: rounded(
      middle(({ result }) => result.perSecond),
      1,
    ),
    p50_ms: rounded(
      middle(({ result }) => result.p50Ms),
      3,
    ),
    p99_ms: rounded(
      middle(({ result }) => result.p99Ms),
      3,
    ),
    cpu_s_per_1k: null,
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
    commands_per_message: rounded(
      middle(({ commands }) => commands),
      2,
    ),
  };
}

/** With receipts to without: deliveries a second, the median over the rounds; and what a message costs more. */
export function receiptRatios(runs: ReceiptRun[]) {
  const of = (system: ReceiptRun['system']): ReceiptRun[] => runs.filter((run) => run.system === system);
  const [those, others] = [of('receipts'), of('no-receipts')];
  if (those.length === 0) return { receipts_to_none: null, receipt_commands: null };
  const pairs = those.map((run, round) => [run, others[round]!] as const);
  return {
    receipts_to_none: rounded(median(pairs.map(([one, other]) => one.result.perSecond / other.result.perSecond)), 3),
    receipt_commands: rounded(median(pairs.map(([one, other]) => one.commands - other.commands)), 2),
  };
}
