/**
 * `node bench/side-by-side.ts --before DIR`: this checkout and another one, each as a cluster of its own, beside each
 * other on one machine. They get the same load in turn, in short slices, and change places after each pair. So a
 * machine whose speed drifts is as slow for one as for the other. Of each figure the median of the pairs' ratios is
 * reported, this checkout to the other.
 *
 *   --before DIR    the other checkout
 *   --rates LIST    messages a second, or `saturation`, with commas between (4000,8000,saturation)
 *   --seconds N     of a slice (1.5)
 *   --repeat N      pairs (11)
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startCheckout } from './checkout.ts';
import type { Server } from './cluster.ts';
import type { LoadResult, LoadShape } from './load.ts';
import { machine } from './machine.ts';
import { median } from './median.ts';
import { runLoad } from './run-load.ts';

const { values } = parseArgs({
  options: {
    before: { type: 'string' },
    rates: { type: 'string', default: '4000,8000,saturation' },
    seconds: { type: 'string', default: '1.5' },
    repeat: { type: 'string', default: '11' },
  },
});
if (values.before === undefined) throw new Error('--before DIR: the checkout to compare with');
const times = { warmUpMs: 400, measureMs: Number(values.seconds) * 1000, patienceMs: 10_000 };

/** What a slice shows; `cpu`: microseconds of all processes for a message. */
type Slice = { 'delivered/s': number; p50: number; p99: number; cpu: number };

function sliceOf({ perSecond, p50Ms, p99Ms, cpu, measured, lost, duplicated }: LoadResult): Slice {
  if (lost + duplicated > 0) throw new Error(`${lost} messages were lost, and ${duplicated} came twice`);
  const seconds = Object.values(cpu).reduce((sum, one) => sum + one, 0);
  return { 'delivered/s': perSecond, p50: p50Ms, p99: p99Ms, cpu: (seconds / measured) * 1e6 };
}

const shapeOf = (rate: string): LoadShape =>
  rate === 'saturation' ? { kind: 'closed', window: 4 } : { kind: 'open', perSecond: Number(rate) };

const measure = async (server: Server, shape: LoadShape): Promise<Slice> =>
  sliceOf(await runLoad(server, { system: 'restante', users: 200, shape, ...times }, process.env));

const servers: Server[] = [];
try {
  for (const folder of [values.before, join(import.meta.dirname, '..')]) servers.push(await startCheckout(folder));
  const [before, after] = servers as [Server, Server];
  console.log(machine());
  for (const server of servers) await measure(server, shapeOf('saturation'));
  for (const rate of values.rates.split(',')) {
    const pairs: { before: Slice; after: Slice }[] = [];
    for (let round = 0; round < Number(values.repeat); round++) {
      const slices = new Map<Server, Slice>();
      for (const server of round % 2 === 0 ? [before, after] : [after, before])
        slices.set(server, await measure(server, shapeOf(rate)));
      pairs.push({ before: slices.get(before)!, after: slices.get(after)! });
    }
    for (const name of ['delivered/s', 'p50', 'p99', 'cpu'] as const) {
      const [old, own] = (['before', 'after'] as const).map((side) => median(pairs.map((pair) => pair[side][name])));
      const ratio = median(pairs.map((pair) => pair.after[name] / pair.before[name]));
      console.log(`${rate}  ${name}  ${old!.toPrecision(4)} -> ${own!.toPrecision(4)}  ratio ${ratio.toFixed(3)}`);
    }
  }
} finally {
  await Promise.all(servers.map((server) => server.stop()));
}
