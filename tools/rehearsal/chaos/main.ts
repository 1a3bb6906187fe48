/**
 * `npm run chaos`: a cluster of real processes under load, one fault or several at a time, and a checker that shares no
 * code with the clients. A schedule follows from its seed, so a failed run can be repeated.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killAllChildren } from '../../harness/child-process.ts';
import { createProgress } from '../../progress/progress.mjs';
import { faults } from './faults/registry.ts';
import { judge } from './judge.ts';
import { type ChaosOptions, readOptions, usage, UsageError } from './options.ts';
import { failedRow, type Row, type Skipped, summary, tableHead, tableRow, violationLines } from './report.ts';
import { runFaults } from './run.ts';
import { planSchedule, scheduleLines } from './schedule.ts';
import type { Fault } from './stage.ts';

let interrupted = false;

const say = (text: string): void => console.log(text);
/** Goes to stderr: stdout holds only the results. */
const progress = createProgress(process.stderr, { beside: process.stdout, env: process.env });
/** Lines that a run tells besides those of its schedule. */
const ownLines = 4;
/** How far the current run is: by the lines that it has told, of those that it will tell. */
const current = { told: 0, of: 1, newest: 'starting' };
function tell(text: string): void {
  current.told += 1;
  current.newest = text.trim();
  progress.say(text);
}

function commitOf(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      encoding: 'utf8',
      cwd: import.meta.dirname,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return 'unknown';
  }
}

async function runOne(options: ChaosOptions, chosen: readonly Fault[], seed: number): Promise<Row | Skipped> {
  const { keep, runs: _runs, seeds: _seeds, ...rest } = options;
  const fault = chosen.map(({ name }) => name).join('+');
  const schedule = scheduleLines(planSchedule(seed, chosen, options));
  Object.assign(current, { told: 0, of: schedule.length + ownLines });
  tell(`${fault}, seed ${seed}: ${chosen.map(({ does }) => does).join('; ')}`);
  for (const one of schedule) progress.say(`   planned ${one}`);
  const dir = await mkdtemp(join(tmpdir(), `restante-chaos-${fault.replaceAll('+', '-')}-`));
  try {
    const result = await runFaults({ ...rest, faults: chosen, seed, commit: commitOf(), dir, say: tell });
    if ('skipped' in result) return { fault, seed, skipped: result.skipped };
    tell('   checking');
    const { unavailableMs, drainedMs } = result;
    return {
      fault,
      seed,
      unavailableMs: unavailableMs.length === 0 ? null : Math.max(...unavailableMs),
      drainedMs,
      ...judge(result.recording, result.broken),
    };
  } catch (error) {
    if (interrupted) throw error;
    return failedRow(fault, seed, error as Error);
  } finally {
    if (keep) tell(`   kept: ${dir}`);
    else await rm(dir, { recursive: true, force: true });
  }
}

async function run(options: ChaosOptions): Promise<void> {
  const { seeds, runs, on, store, level, mode } = options;
  const rows: (Row | Skipped)[] = [];
  const total = seeds.length * runs.length;
  progress.doing(() => {
    const { told, of, newest } = current;
    const done = Math.min(total, rows.length + Math.min(1, told / of));
    return { done, total, text: `${rows.length} of ${total} runs; ${newest}` };
  });
  say(tableHead());
  for (const seed of seeds) {
    for (const chosen of runs) {
      const row = await runOne(options, chosen, seed);
      rows.push(row);
      current.told = 0;
      say(tableRow(row));
      if (!('skipped' in row)) for (const one of violationLines(row)) say(one);
    }
  }
  progress.end();
  const result = summary({ seed: seeds[0]!, commit: commitOf(), on, store, level, mode }, rows);
  say(JSON.stringify(result));
  if (result.violations > 0) process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    interrupted = true;
    killAllChildren();
  });
}
process.on('exit', () => {
  progress.end();
  killAllChildren();
});

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') say(usage);
  else if (options === 'list')
    for (const { name, group, does } of faults) say(`${name.padEnd(6)} ${group.padEnd(10)} ${does}`);
  else await run(options);
} catch (error) {
  if (error instanceof UsageError) {
    console.error(`${error.message}\n${usage}`);
    process.exitCode = 2;
  } else {
    console.error(interrupted ? 'interrupted' : error);
    process.exitCode = 1;
  }
}
