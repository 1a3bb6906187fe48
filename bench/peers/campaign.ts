/** `npm run bench -- --peers`: Restante beside servers that others use for the same work, all in one run. */
import { machine } from '../machine.ts';
import type { BenchOptions } from '../options.ts';
import { ratioRows, tableHead } from '../table.ts';
import { availableOf, runComparedRound } from './run.ts';
import { peerGoals, summarisePeers, type PeerSummary } from './summary.ts';
import type { ComparedName, ComparedRun } from './systems.ts';

export type CampaignOptions = Pick<
  BenchOptions,
  'systems' | 'cases' | 'repeat' | 'measureMs' | 'warmUpMs' | 'quietPatienceMs'
> & {
  env: NodeJS.ProcessEnv;
  say: (text: string) => void;
  /** Says what is being done, as one of `total` steps. */
  doing: (text: string, total: number) => void;
  signal: AbortSignal;
};

const patienceMs = 10_000;

/** The load in one line, for those who read the results later. */
const loadText = ({ measureMs, repeat }: CampaignOptions): string =>
  `200 users in 100 pairs, bodies of 100 bytes, ${measureMs / 1000} s a load, rounds in turn: ${repeat}`;

/** A fault of a peer is a figure; one of these is a fault of the run. */
const isOwn = (system: ComparedName): boolean => system === 'restante' || system === 'echo';

const isSound = ({ result: { lost, duplicated, reordered, strayed } }: ComparedRun): boolean =>
  lost + duplicated + reordered + strayed === 0;

/** The object of the last line; and whether Restante and the echo server delivered everything, once and in order. */
export async function runCampaign(options: CampaignOptions): Promise<{ summary: PeerSummary; sound: boolean }> {
  const { repeat, measureMs, warmUpMs, say } = options;
  say(machine());
  const total = 1 + repeat * options.systems.size;
  options.doing('looking for the peers; what is missing is fetched or built', total);
  const names = await availableOf([...options.systems], say);
  say(tableHead());
  const runs: ComparedRun[] = [];
  const failed: ComparedName[] = [];
  for (let round = 1; round <= repeat; round += 1) {
    const times = { warmUpMs, measureMs, patienceMs };
    const doing = (name: string): void => options.doing(`round ${round} of ${repeat}: ${name}`, total);
    const measured = await runComparedRound({ ...options, names, round, times, doing });
    runs.push(...measured.runs);
    failed.push(...measured.failed);
  }
  const summary = summarisePeers(runs, loadText(options));
  for (const line of ratioRows(summary.ratios, peerGoals)) say(line);
  return { summary, sound: runs.filter(({ system }) => isOwn(system)).every(isSound) && !failed.some(isOwn) };
}
