import { mkdir } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createRandom } from '../irc/random.ts';
import { carryOut, watchProcesses } from './carry-out.ts';
import { type ChaosCluster, startChaosCluster } from './cluster.ts';
import { equip, type Equipment, needsOf } from './equipment.ts';
import { deadLetters, gauges, untilSettled } from './gauges.ts';
import { createProbe } from './probe.ts';
import { type ChaosEvent, createRecording, type Recording } from './recording.ts';
import { appendFolder } from './redis-files.ts';
import { planSchedule, seedOf } from './schedule.ts';
import type { Fault, Ground, Needs, Stage } from './stage.ts';
import { startTraffic, type Traffic, trafficEnv } from './traffic.ts';

export type RunOptions = Ground & {
  faults: readonly Fault[];
  seed: number;
  commit: string;
  /** A folder of its own, which the caller removes. */
  dir: string;
  rate: number;
  ircFolder?: string;
  /** Settings of the processes, beside those that every run and the fault need. */
  env?: Readonly<Record<string, string>>;
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
      /** How long no send was accepted, or nothing delivered, after each measured moment (ms). */
      unavailableMs: number[];
      drainedMs: number;
    };

const counts = { web: 2, fanout: 2, archive: 2, jobs: 1, search: 0 };
const partitions = 4;
const times = {
  full: { warmUpMs: 5000, loadMs: 20_000, afterMs: 4000 },
  fast: { warmUpMs: 2500, loadMs: 6000, afterMs: 2000 },
};
/** Time until everything must have arrived on a machine that has nothing else to do. */
const quiesceMs = 30_000;
const mostPatience = 4;
/** In the mode `safety` nothing must arrive; it is only given a chance to. */
const safetyQuiesceMs = 5000;
const dumpMs = 60_000;
const mostBroken = 100;
const users = 30;
/** A user who has never been welcomed knows no epoch, and cannot be told of a loss. */
const welcomedWithinMs = 30_000;
const lookMs = 50;

/**
 * How much longer things may take because others use the machine too: on two cores with four times their work a process
 * gets a quarter of its share, and lateness says nothing about the cluster. 1 on a machine that is free.
 */
const patience = (): number => Math.min(mostPatience, Math.max(1, loadavg()[0]! / (2 * availableParallelism())));

function startCluster(options: RunOptions, needs: Needs, equipment: Equipment): Promise<ChaosCluster> {
  const { dir, on, store, level } = options;
  const { clocks, disk, powerCuts } = equipment;
  return startChaosCluster({
    dir,
    on,
    store,
    counts: { ...counts, ...needs.counts },
    mongoNodes: needs.mongoNodes ?? 1,
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      ...trafficEnv,
      PARTITIONS: String(partitions),
      ...options.env,
      ...needs.env,
    },
    redisArgs: ['--appendfsync', level === 'durable' ? 'always' : 'everysec', ...(needs.redisArgs ?? [])],
    redisEnv: powerCuts?.env ?? {},
    ...(disk !== null && needs.disk?.of === 'redis' ? { redisDir: (name: string) => join(disk.path, name) } : {}),
    ...(disk !== null && needs.disk?.of === 'history' ? { historyDir: disk.path } : {}),
    clock: (name) => clocks.get(name),
  });
}

/** What a run holds and must give back, as far as it has come. */
type Held = { equipment: Equipment; cluster?: ChaosCluster; recording?: Recording; traffic?: Traffic; over?: true };

async function perform(options: RunOptions, needs: Needs, held: Held): Promise<RunResult> {
  const { faults, seed, dir, say, on, store, level, mode, fast } = options;
  const limits = fast ? times.fast : times.full;
  const names = faults.map(({ name }) => name).join('+');
  const broken: string[] = [];
  const { clocks, disk, powerCuts } = held.equipment;
  const cluster = (held.cluster = await startCluster(options, needs, held.equipment));
  const recording = (held.recording = createRecording(join(dir, 'recording.jsonl')));
  /** Processes that a step has ended and not started again. */
  const ended = new Set<string>();
  const note = (event: ChaosEvent): void => {
    if (event.type === 'process' && (event.did === 'killed' || event.did === 'stopped')) ended.add(event.process);
    if (event.type === 'process' && event.did === 'started') ended.delete(event.process);
    recording.note(event);
  };
  const fanoutMaxMembers = Number(trafficEnv.FANOUT_MAX_MEMBERS);
  const { commit } = options;
  note({ type: 'run', seed, fault: names, on, store, level, mode, commit, fanoutMaxMembers, startedAt: Date.now() });

  const welcomed = new Set<string>();
  const heard = (event: ChaosEvent): void => {
    if (event.type === 'received' && event.text.startsWith('{"type":"welcome"')) welcomed.add(event.client.user);
    // A request that is still open at the end may be answered after the recording is closed.
    if (held.over !== true) recording.note(event);
  };
  const traffic = (held.traffic = await startTraffic({
    urls: () => cluster.urls,
    token: (user) => cluster.token(user ?? 'service', { service: user === null }),
    recording: { ...recording, note: heard },
    seed,
    users,
    level,
    rate: options.rate,
    ...(options.ircFolder === undefined ? {} : { ircFolder: options.ircFolder }),
  }));
  const began = performance.now();
  while (welcomed.size < users && performance.now() < began + welcomedWithinMs) await pause(lookMs);
  await pause(limits.warmUpMs);
  for (const event of await gauges(cluster, 'baseline')) note(event);
  const probe = await createProbe(cluster);
  const unwatch = watchProcesses(cluster, ended, (name) => void broken.push(`${name} ended by itself`));
  const stage: Stage = {
    cluster,
    random: createRandom(seedOf(seed, faults[0]!)),
    note,
    disk: disk?.path ?? null,
    clock(name) {
      const clock = clocks.get(name);
      if (clock === undefined) throw new Error(`the fault has not asked for a clock of ${name}`);
      return clock;
    },
    cutUnsynced: () => powerCuts!.cut(appendFolder(cluster.redis.primary.dir)),
    measure: (until) => probe.begin(until),
    mayLose: (upTo, certain = false) => note({ type: 'loss-possible', fault: names, upTo, certain }),
    violation: (text) => void (broken.length < mostBroken && broken.push(text)),
  };
  try {
    await carryOut(planSchedule(seed, faults, options), stage, say);
    note({ type: 'fault-ended', fault: names });
    const restMs = limits.loadMs - (performance.now() - began);
    if (mode === 'safety' && restMs > 0) await pause(restMs);
    for (const clock of clocks.values()) clock.shift(0);
    await cluster.heal().catch((error: Error) => broken.push(`not all came back: ${error.message.slice(0, 1500)}`));
    note({ type: 'healed' });
    ended.clear();
    if (mode === 'liveness') await pause(Math.max(limits.afterMs, restMs));
    const unavailableMs = await probe.measured(quiesceMs);
    traffic.stopSending();
    say(`   ${traffic.accepted} messages accepted; waiting until everything has arrived`);
    const quiesceBegan = performance.now();
    const mostMs = mode === 'liveness' ? quiesceMs * patience() : safetyQuiesceMs;
    const leftMs = (): number => Math.max(0, mostMs - (performance.now() - quiesceBegan));
    // Lists of conversations follow the inboxes: what no fanout has read yet, clients cannot know to be missing. And
    // what is not answered yet, no stream holds.
    await traffic.answered(mostMs);
    const settled = (withinMs: number) =>
      untilSettled(cluster, partitions, withinMs).catch((error: Error) => {
        stage.violation(`what waits cannot be read: ${error.message}`);
        return [];
      });
    await settled(leftMs());
    const drained = await traffic.drained(Math.max(leftMs(), safetyQuiesceMs));
    const drainedMs = Math.round(performance.now() - quiesceBegan);
    if (!drained) say(`   not everything has arrived after ${Math.round(drainedMs / 1000)} s`);
    for (const event of await gauges(cluster, 'end')) note(event);
    // Who was told of a loss only now has sent again what was lost.
    for (const event of await settled(Math.max(leftMs(), safetyQuiesceMs))) note(event);
    for (const event of await deadLetters(cluster)) note(event);
    say('   reading the final state');
    await traffic.dump(dumpMs * patience());
    return { recording: recording.path, broken, unavailableMs, drainedMs };
  } finally {
    unwatch();
  }
}

/** One cluster, one schedule, one recording. */
export async function runFaults(options: RunOptions): Promise<RunResult> {
  const needs = needsOf(options.faults, options);
  if ('reason' in needs) return { skipped: needs.reason };
  await mkdir(options.dir, { recursive: true });
  const equipment = equip(needs, options.dir);
  if ('reason' in equipment) return { skipped: equipment.reason };
  const held: Held = { equipment };
  try {
    return await perform(options, needs, held);
  } finally {
    held.traffic?.close();
    held.over = true;
    await held.cluster?.stop();
    held.recording?.close();
    equipment.release();
  }
}
