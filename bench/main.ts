/**
 * `npm run bench`: Restante against a bare echo server, both in the same run. Every round measures one side and then
 * the other, each with fresh processes, while the other side is stopped.
 */
import { createProgress } from '../tools/progress/progress.mjs';
import { amendRow, runAmends, type AmendRun } from './amends.ts';
import { readResults, writeChart } from './chart-files.ts';
import { chartOf, type Results } from './chart.ts';
import { killChildren } from './children.ts';
import { startCluster, startEcho, type Server } from './cluster.ts';
import { readRatios, reportChanges, type StoredRatios } from './compare.ts';
import type { System } from './connect-user.ts';
import { groupNote, groupRow, isSoundGroup } from './group-summary.ts';
import { runHugeGroup, runLargeGroup, type GroupCase } from './groups.ts';
import { measureIdle, warmUpConnections } from './idle.ts';
import { inspectorOptions } from './inspector.ts';
import { levelRow, runLevels, type LevelRun } from './levels.ts';
import type { LoadShape } from './load.ts';
import { machine } from './machine.ts';
import { readOptions, usage, type BenchOptions } from './options.ts';
import { overloadPatienceMs } from './overload.ts';
import { runCampaign } from './peers/campaign.ts';
import { peerChartOf, type PeerResults } from './peers/chart.ts';
import { peerPageOf } from './peers/page.ts';
import { peerGoals } from './peers/summary.ts';
import { openFileLimit } from './proc.ts';
import { waitForQuiet } from './quiet.ts';
import { receiptRow, runReceipts, type ReceiptRun } from './receipts.ts';
import { runLoad } from './run-load.ts';
import { runSearchLoads, searchLoadRow, type SearchLoadRun } from './search-load.ts';
import { runSearch, searchRow, type SearchRun } from './search.ts';
import { stepsOf } from './steps.ts';
import { goals, isSound, summarise, type IdleRun, type LoadName, type LoadRun } from './summary.ts';
import { idleRow, loadRow, ratioRows, tableHead } from './table.ts';
import { withServer } from './with-server.ts';

const { env } = process;
const users = 200;
const patienceMs = 10_000;
/** In running order. After a spike the server needs time to settle, so the overload comes last. */
const names: LoadName[] = ['low-load', 'saturation', 'overload'];
/** `most` is the delivery rate in the saturation of the same round. */
const shapeOf = (name: LoadName, most: number): LoadShape =>
  name === 'saturation'
    ? { kind: 'closed', window: 4 }
    : { kind: 'open', perSecond: name === 'overload' ? 2 * most : 200 };
const interruption = new AbortController();
/** Files that a process has open in addition to the measured sockets. */
const spareFiles = 200;

const say = (text: string): void => console.log(text);
/** Goes to stderr: stdout holds only the results. */
const progress = createProgress(process.stderr, { beside: process.stdout, env });
const steps = { begun: 0, total: 0, newest: 'starting' };
function doing(text: string): void {
  steps.begun += 1;
  steps.newest = text;
  progress.say(`bench: ${text}`);
}

async function runRound(options: BenchOptions, chosen: LoadName[], round: number): Promise<LoadRun[]> {
  const runs: LoadRun[] = [];
  const measure =
    (system: System) =>
    async (server: Server): Promise<void> => {
      for (const name of chosen) {
        if (system === 'restante' ? !options.only.has(name) : name === 'overload') continue;
        const { warmUpMs, measureMs } = options;
        const most = runs.find((one) => one.name === 'saturation' && one.system === system)?.result.perSecond;
        if (name === 'overload' && most === undefined) continue;
        const shape = shapeOf(name, most ?? 0);
        const patience = name === 'overload' ? overloadPatienceMs : patienceMs;
        doing(`round ${round} of ${options.repeat}: ${name} of ${system}, ${(warmUpMs + measureMs) / 1000} s`);
        const result = await runLoad(server, { system, users, shape, warmUpMs, measureMs, patienceMs: patience }, env);
        runs.push({ name, system, round, result });
        say(loadRow(runs.at(-1)!));
      }
    };
  doing(`round ${round} of ${options.repeat}: waiting for a quiet machine`);
  const foreign = await waitForQuiet(options.quietPatienceMs, interruption.signal);
  say(`${String(round).padStart(5)}  other work on the machine: ${foreign.toFixed(2)} cores`);
  if (options.only.has('echo')) await withServer(startEcho({ env }), measure('echo'));
  const { single } = options;
  if (chosen.some((name) => options.only.has(name)))
    await withServer(startCluster({ env, single }), measure('restante'));
  return runs;
}

async function runIdle({ idleConnections }: BenchOptions): Promise<IdleRun[]> {
  const count = Math.min(idleConnections, openFileLimit() - warmUpConnections - spareFiles);
  if (count < idleConnections) say(`       idle: only ${count} connections, the limit of open files allows no more`);
  const serverOptions = { env, nodeOptions: inspectorOptions };
  const measure =
    (system: IdleRun['system']) =>
    async (server: Server): Promise<IdleRun> => {
      const pid = server.processes[system === 'bare' ? 'echo' : 'gateway']!;
      doing(`idle: opening ${warmUpConnections + count} connections to ${system}`);
      const result = await measureIdle(server, system === 'bare' ? 'echo' : 'restante', pid, count);
      const measured: IdleRun = { name: 'idle', system, result };
      say(idleRow(measured));
      return measured;
    };
  return [
    await withServer(startEcho(serverOptions), measure('bare')),
    await withServer(startCluster(serverOptions), measure('restante')),
  ];
}

async function runGroups({ only, repeat, quietPatienceMs }: BenchOptions): Promise<GroupCase[]> {
  const report = { run: (...row: Parameters<typeof groupRow>) => say(groupRow(...row)), text: say };
  const groups: GroupCase[] = [];
  if (only.has('large-group') || only.has('huge-group')) await waitForQuiet(quietPatienceMs, interruption.signal);
  if (only.has('large-group')) doing('large-group: starting three servers and filling groups, about a minute');
  if (only.has('large-group')) groups.push(...(await runLargeGroup(env, repeat, report)));
  if (only.has('huge-group')) doing('huge-group: filling a group of 100,000 members');
  if (only.has('huge-group')) groups.push(...(await runHugeGroup(env, report)));
  for (const note of groups.map(groupNote)) if (note !== undefined) say(note);
  return groups;
}

async function runLevelRounds({ repeat, measureMs, warmUpMs, quietPatienceMs }: BenchOptions): Promise<LevelRun[]> {
  const runs: LevelRun[] = [];
  for (let round = 1; round <= repeat; round += 1) {
    doing(`round ${round} of ${repeat}: levels`);
    await waitForQuiet(quietPatienceMs, interruption.signal);
    for (const one of await runLevels(env, { warmUpMs, measureMs, patienceMs }, say)) {
      runs.push(one);
      say(levelRow(round, one));
    }
  }
  return runs;
}

async function runReceiptRounds({ repeat, measureMs, warmUpMs, quietPatienceMs }: BenchOptions): Promise<ReceiptRun[]> {
  const runs: ReceiptRun[] = [];
  for (let round = 1; round <= repeat; round += 1) {
    doing(`round ${round} of ${repeat}: receipts`);
    await waitForQuiet(quietPatienceMs, interruption.signal);
    for (const one of await runReceipts(env, round, { warmUpMs, measureMs, patienceMs })) {
      runs.push(one);
      say(receiptRow(round, one));
    }
  }
  return runs;
}

async function runAmendRounds({ repeat, quietPatienceMs }: BenchOptions): Promise<AmendRun[]> {
  const runs: AmendRun[] = [];
  for (let round = 1; round <= repeat; round += 1) {
    doing(`round ${round} of ${repeat}: amends`);
    await waitForQuiet(quietPatienceMs, interruption.signal);
    runs.push(await runAmends(env));
    say(amendRow(round, runs.at(-1)!));
  }
  return runs;
}

async function runSearchIndex({ searchMessages, quietPatienceMs }: BenchOptions): Promise<SearchRun> {
  await waitForQuiet(quietPatienceMs, interruption.signal);
  doing(`search: indexing ${searchMessages} messages`);
  const measured = await runSearch(searchMessages);
  say(searchRow(measured));
  return measured;
}

async function runSearchRounds({
  repeat,
  measureMs,
  warmUpMs,
  quietPatienceMs,
}: BenchOptions): Promise<SearchLoadRun[]> {
  await waitForQuiet(quietPatienceMs, interruption.signal);
  return runSearchLoads(
    env,
    repeat,
    { warmUpMs, measureMs, patienceMs },
    {
      begins: (round) => doing(`round ${round} of ${repeat}: search beside sends`),
      showed: (round, one) => say(searchLoadRow(round, one)),
    },
  );
}

const showProgress = (): void =>
  progress.doing(() => ({ done: Math.max(0, steps.begun - 1), total: steps.total, text: steps.newest }));

/** What `--compare` names, read before anything is measured. */
const storedOf = async ({ compare }: BenchOptions): Promise<StoredRatios | null> =>
  compare === null ? null : readRatios(compare);

async function runPeers(options: BenchOptions): Promise<void> {
  const stored = await storedOf(options);
  showProgress();
  const { summary, sound } = await runCampaign({
    ...options,
    env,
    say,
    doing: (text, total) => {
      steps.total = total;
      doing(text);
    },
    signal: interruption.signal,
  });
  progress.end();
  const isAsStored = stored === null || reportChanges(stored, summary, peerGoals, { ...options, say });
  if (!isAsStored || !sound) process.exitCode = 1;
  say(JSON.stringify(summary));
  if (options.chart !== null) progress.say(await writeChart(options.chart, summary, peerChartOf, peerPageOf));
}

async function run(options: BenchOptions): Promise<void> {
  const stored = await storedOf(options);
  const selected = names.filter((name) => options.only.has(name));
  const echoAlone = selected.length === 0 && options.only.has('echo');
  const chosen = echoAlone ? names : selected;
  steps.total = stepsOf(options, chosen);
  showProgress();
  say(machine());
  say(tableHead());
  const loads: LoadRun[] = [];
  for (let round = 1; chosen.length > 0 && round <= options.repeat; round += 1) {
    loads.push(...(await runRound(options, chosen, round)));
  }
  const idles: IdleRun[] = [];
  for (let round = 1; options.only.has('idle') && round <= options.repeat; round += 1)
    idles.push(...(await runIdle(options)));
  const groups = await runGroups(options);
  const levels = options.only.has('levels') ? await runLevelRounds(options) : [];
  const receipts = options.only.has('receipts') ? await runReceiptRounds(options) : [];
  const amends = options.only.has('amends') ? await runAmendRounds(options) : [];
  const search = options.only.has('search') ? await runSearchIndex(options) : null;
  const searchLoads = options.only.has('search') ? await runSearchRounds(options) : [];
  progress.end();
  const summary = summarise(loads, idles, groups, levels, receipts, amends, search, searchLoads);
  for (const line of ratioRows(summary.ratios)) say(line);
  if (stored !== null && !reportChanges(stored, summary, goals, { ...options, say })) process.exitCode = 1;
  say(JSON.stringify(summary));
  if (options.chart !== null) progress.say(await writeChart(options.chart, summary, chartOf));
  if (!isSound(loads) || !groups.every(isSoundGroup) || !levels.every(({ lost }) => lost === 0)) process.exitCode = 1;
}

// Any pending wait fails with its process, and cleans up on the way out.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interruption.abort();
    killChildren();
  });
}
process.on('exit', () => {
  progress.end();
  killChildren();
});

function optionsOrUsage(): BenchOptions | undefined {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    return undefined;
  }
}

const drawAgain = async ({ peers, chart }: BenchOptions, from: string): Promise<string> =>
  peers
    ? writeChart(chart!, await readResults<PeerResults>(from), peerChartOf, peerPageOf)
    : writeChart(chart!, await readResults<Results>(from), chartOf);

try {
  const isHelp = ['--help', '-h'].includes(process.argv[2] ?? '');
  const options = isHelp ? undefined : optionsOrUsage();
  if (options?.from) say(await drawAgain(options, options.from));
  else if (options?.peers) await runPeers(options);
  else if (options) await run(options);
  else if (isHelp) say(usage);
  else process.exitCode = 2;
} catch (error) {
  console.error(interruption.signal.aborted ? 'interrupted' : error);
  process.exitCode = 1;
}
