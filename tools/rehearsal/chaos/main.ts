/**
 * `npm run chaos`: a cluster of real processes under load, one fault or several at a time, and a checker that shares no
 * code with the clients. A schedule follows from its seed, so a failed run can be repeated.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killAllChildren } from '../../harness/child-process.ts';
import { faults } from './faults/registry.ts';
import { judge } from './judge.ts';
import { type ChaosOptions, readOptions, usage, UsageError } from './options.ts';
import { failedRow, type Row, type Skipped, summary, tableHead, tableRow, violationLines } from './report.ts';
import { runFaults } from './run.ts';
import { planSchedule, scheduleLines } from './schedule.ts';
import type { Fault } from './stage.ts';

let interrupted = false;

const say = (text: string): void => console.log(text);
/** Progress goes to stderr: stdout holds only the results. */
const doing = (text: string): void => console.error(text);

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
  doing(`${fault}, seed ${seed}: ${chosen.map(({ does }) => does).join('; ')}`);
  for (const one of scheduleLines(planSchedule(seed, chosen, options))) doing(`   planned ${one}`);
  const dir = await mkdtemp(join(tmpdir(), `restante-chaos-${fault.replaceAll('+', '-')}-`));
  try {
    const result = await runFaults({ ...rest, faults: chosen, seed, commit: commitOf(), dir, say: doing });
    if ('skipped' in result) return { fault, seed, skipped: result.skipped };
    doing('   checking');
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
    if (keep) doing(`   kept: ${dir}`);
    else await rm(dir, { recursive: true, force: true });
  }
}

async function run(options: ChaosOptions): Promise<void> {
  const { seeds, runs, on, store, level, mode } = options;
  const rows: (Row | Skipped)[] = [];
  say(tableHead());
  for (const seed of seeds) {
    for (const chosen of runs) {
      const row = await runOne(options, chosen, seed);
      rows.push(row);
      say(tableRow(row));
      if (!('skipped' in row)) for (const one of violationLines(row)) say(one);
    }
  }
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
process.on('exit', killAllChildren);

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
