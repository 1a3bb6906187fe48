import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { findClocks, type ShiftedClock } from '../../harness/shifted-clocks.ts';
import { createRandom } from '../irc/random.ts';
import { type ChaosCluster, startChaosCluster } from './cluster.ts';
import { type Disk, mountDisk } from './disk.ts';
import { deadLetters, gauges, waiting } from './gauges.ts';
import { createProbe } from './probe.ts';
import { type ChaosEvent, createRecording, type Recording } from './recording.ts';
import { planSchedule, scheduleLines, seedOf } from './schedule.ts';
import type { Fault, Ground, Needs, Stage, Step } from './stage.ts';
import { startTraffic, type Traffic, trafficEnv } from './traffic.ts';

export type RunOptions = Ground & {
  faults: readonly Fault[];
  seed: number;
  commit: string;
  /** A folder of its own, which the caller removes. */
  dir: string;
  rate: number;
  ircFolder?: string;
  /** Lines about what happens now. */
  say(text: string): void;
};

/** What a run leaves behind for the checker and the table. */
export type RunResult =
  | { skipped: string }
  | {
      recording: string;
      /** What the runner itself saw broken: a step that failed, a process that ended by itself. */
      broken: string[];
      /** How long no send was accepted after each measured moment (ms). */
      unavailableMs: number[];
      drainedMs: number;
    };

const counts = { web: 2, fanout: 2, archive: 2, jobs: 1 };
const partitions = 4;
const stepWithinMs = 120_000;
const watchEveryMs = 250;
const times = {
  full: { warmUpMs: 5000, loadMs: 20_000, afterMs: 4000, quiesceMs: 30_000, dumpMs: 60_000 },
  fast: { warmUpMs: 2500, loadMs: 6000, afterMs: 2000, quiesceMs: 30_000, dumpMs: 60_000 },
};
/** In the mode `safety` nothing must arrive; it is only given a chance to. */
const safetyQuiesceMs = 5000;
const noted = 100;

/** All that the faults of one run need, or why one of them cannot run. */
function gather(faults: readonly Fault[], ground: Ground): Needs | { reason: string } {
  const all: { -readonly [Key in keyof Needs]: Needs[Key] } = {};
  for (const { name, needs = {}, cannot } of faults) {
    const reason = cannot?.(ground) ?? null;
    if (reason !== null) return { reason: `${name}: ${reason}` };
    if (needs.disk !== undefined && all.disk !== undefined) return { reason: 'only one fault of a run has a disk' };
    all.clocks = [...(all.clocks ?? []), ...(needs.clocks ?? [])];
    all.redisArgs = [...(all.redisArgs ?? []), ...(needs.redisArgs ?? [])];
    all.env = { ...all.env, ...needs.env };
    all.counts = { ...all.counts, ...needs.counts };
    all.mongoNodes = Math.max(all.mongoNodes ?? 1, needs.mongoNodes ?? 1);
    if (needs.disk !== undefined) all.disk = needs.disk;
  }
  return all;
}

/** Tells of processes that run no more although nobody has ended them. */
function watchProcesses(cluster: ChaosCluster, ended: ReadonlySet<string>, tell: (name: string) => void): () => void {
  const told = new Set<string>();
  const timer = setInterval(() => {
    for (const name of cluster.names) {
      if (cluster.child(name).alive) told.delete(name);
      else if (!ended.has(name) && !told.has(name)) {
        told.add(name);
        tell(name);
      }
    }
  }, watchEveryMs);
  return () => clearInterval(timer);
}

async function within(ms: number, what: Promise<void>): Promise<void> {
  const timer = new AbortController();
  try {
    await Promise.race([
      what,
      pause(ms, undefined, { signal: timer.signal }).then(() => {
        throw new Error(`it took longer than ${ms / 1000} s`);
      }),
    ]);
  } finally {
    timer.abort();
  }
}

/** Carries out the schedule. A step that fails is no end: what follows shows what it did. */
async function carryOut(steps: readonly Step[], stage: Stage, say: (text: string) => void): Promise<void> {
  const began = performance.now();
  for (const { atMs, act, run } of steps) {
    const waitMs = atMs - (performance.now() - began);
    if (waitMs > 0) await pause(waitMs);
    say(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${act}`);
    stage.note({ type: 'fault-begun', fault: act });
    try {
      await within(stepWithinMs, Promise.resolve(run(stage)));
    } catch (error) {
      stage.violation(`"${act}" failed: ${(error as Error).message.slice(0, 1500)}`);
    }
  }
}

/** One cluster, one schedule, one recording. */
export async function runFaults(options: RunOptions): Promise<RunResult> {
  const { faults, seed, dir, say, on, store, level, mode, fast } = options;
  const needs = gather(faults, options);
  if ('reason' in needs) return { skipped: needs.reason };
  const limits = fast ? times.fast : times.full;
  const broken: string[] = [];
  const clocks = new Map<string, ShiftedClock>();
  let disk: Disk | null = null;
  let cluster: ChaosCluster | null = null;
  let recording: Recording | null = null;
  let traffic: Traffic | null = null;
  await mkdir(dir, { recursive: true });
  try {
    if (needs.clocks !== undefined && needs.clocks.length > 0) {
      const found = findClocks();
      if ('reason' in found) return { skipped: found.reason };
      for (const name of needs.clocks) clocks.set(name, found.create());
    }
    if (needs.disk !== undefined) {
      const mounted = mountDisk(join(dir, 'disk'), needs.disk.bytes);
      if ('reason' in mounted) return { skipped: mounted.reason };
      disk = mounted;
    }
    const env = { ...trafficEnv, PARTITIONS: String(partitions), ...needs.env };
    cluster = await startChaosCluster({
      dir,
      on,
      store,
      counts: { ...counts, ...needs.counts },
      mongoNodes: needs.mongoNodes ?? 1,
      env: { PATH: process.env['PATH'], NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'], ...env },
      redisArgs: [
        ...(level === 'durable' ? ['--appendfsync', 'always'] : ['--appendfsync', 'everysec']),
        ...(needs.redisArgs ?? []),
      ],
      ...(disk !== null && needs.disk?.of === 'redis' ? { redisDir: (name) => join(disk!.path, name) } : {}),
      ...(disk !== null && needs.disk?.of === 'history' ? { historyDir: disk.path } : {}),
      clock: (name) => clocks.get(name),
    });
    const file = createRecording(join(dir, 'recording.jsonl'));
    recording = file;
    const ended = new Set<string>();
    const note = (event: ChaosEvent): void => {
      if (event.type === 'process' && (event.did === 'killed' || event.did === 'stopped')) ended.add(event.process);
      if (event.type === 'process' && event.did === 'started') ended.delete(event.process);
      file.note(event);
    };
    const names = faults.map(({ name }) => name).join('+');
    note({
      type: 'run',
      seed,
      fault: names,
      on,
      store,
      level,
      mode,
      commit: options.commit,
      fanoutMaxMembers: Number(trafficEnv.FANOUT_MAX_MEMBERS),
      startedAt: Date.now(),
    });
    const running = cluster;
    traffic = await startTraffic({
      urls: () => running.urls,
      token: (user) => running.token(user ?? 'service', { service: user === null }),
      recording: file,
      seed,
      level,
      rate: options.rate,
      ...(options.ircFolder === undefined ? {} : { ircFolder: options.ircFolder }),
    });
    const began = performance.now();
    await pause(limits.warmUpMs);
    for (const event of await gauges(running, 'baseline')) note(event);
    const probe = await createProbe(running);
    const unwatch = watchProcesses(running, ended, (name) => {
      broken.push(`${name} ended by itself`);
    });
    const stage: Stage = {
      cluster: running,
      random: createRandom(seedOf(seed, faults[0]!)),
      note,
      disk: disk?.path ?? null,
      clock(name) {
        const clock = clocks.get(name);
        if (clock === undefined) throw new Error(`the fault has not asked for a clock of ${name}`);
        return clock;
      },
      measure: () => probe.begin(),
      mayLose: (upTo, certain = false) => note({ type: 'loss-possible', fault: names, upTo, certain }),
      violation(text) {
        if (broken.length < noted) broken.push(text);
      },
    };
    await carryOut(planSchedule(seed, faults, options), stage, say);
    note({ type: 'fault-ended', fault: names });
    const restMs = limits.loadMs - (performance.now() - began);
    if (mode === 'safety' && restMs > 0) await pause(restMs);
    for (const clock of clocks.values()) clock.shift(0);
    try {
      await running.heal();
    } catch (error) {
      broken.push(`not everything came back: ${(error as Error).message.slice(0, 1500)}`);
    }
    note({ type: 'healed' });
    ended.clear();
    if (mode === 'liveness') await pause(Math.max(limits.afterMs, restMs));
    const unavailableMs = await probe.measured(limits.quiesceMs);
    traffic.stopSending();
    say(`   ${traffic.accepted} messages accepted; waiting until everything has arrived`);
    const quiesceBegan = performance.now();
    const drained = await traffic.drained(mode === 'liveness' ? limits.quiesceMs : safetyQuiesceMs);
    const drainedMs = Math.round(performance.now() - quiesceBegan);
    if (!drained) say(`   not everything has arrived after ${Math.round(drainedMs / 1000)} s`);
    for (const read of [gauges(running, 'end'), waiting(running, partitions), deadLetters(running)])
      for (const event of await read) note(event);
    say('   reading the final state');
    await traffic.dump(limits.dumpMs);
    unwatch();
    return { recording: file.path, broken, unavailableMs, drainedMs };
  } finally {
    traffic?.close();
    await cluster?.stop();
    recording?.close();
    disk?.remove();
    for (const clock of clocks.values()) clock.remove();
  }
}

/** The schedule of a run as text; nothing is started. */
export const describeRun = (faults: readonly Fault[], seed: number, ground: Ground): string[] =>
  scheduleLines(planSchedule(seed, faults, ground));

export const removeRun = (dir: string): Promise<void> => rm(dir, { recursive: true, force: true });
