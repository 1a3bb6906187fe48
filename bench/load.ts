/**
 * The load generator, a process of its own. Reads `LoadOptions` as JSON from standard input, generates the traffic, and
 * prints a `LoadResult` as one line of JSON. Senders and recipients are in this process, so latency needs only one
 * clock.
 */
import { createHistogram } from 'node:perf_hooks';
import { json } from 'node:stream/consumers';
import { setTimeout as pause } from 'node:timers/promises';
import type { System } from './connect-user.ts';
import { isPeer, type PeerName } from './peers/clients.ts';
import { startPeerTraffic } from './peers/traffic.ts';
import { cpuBetween, readCpu, type CpuUsage } from './proc.ts';
import { startTraffic, type Traffic } from './traffic.ts';

export type LoadShape = { kind: 'closed'; window: number } | { kind: 'open'; perSecond: number };

export type LoadOptions = {
  system: System | PeerName;
  port: number;
  authSecret: string;
  users: number;
  shape: LoadShape;
  /** Users say what they have read whenever they confirm what they have received. */
  reads?: boolean;
  /** How long the servers are warmed up, always with a closed loop: fresh processes run slow code. */
  warmUpMs: number;
  measureMs: number;
  /** Maximum wait at the end for messages in flight. */
  patienceMs: number;
  /** Server processes by name, whose CPU time is read. */
  processes: Record<string, number>;
};

export type LoadResult = {
  seconds: number;
  /** Deliveries within the measured time. */
  measured: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  acceptedP50Ms: number | null;
  acceptedP99Ms: number | null;
  /** CPU seconds by server process within the measured time. */
  cpu: Record<string, number>;
  generatorCores: number;
  foreignCores: number;
  /** Over the whole run, including warm-up and end. */
  sent: number;
  accepted: number;
  delivered: number;
  lost: number;
  duplicated: number;
  reordered: number;
  strayed: number;
  /** Messages that their own sender received too. */
  returned: number;
  /** Messages without any answer at the end. */
  unanswered: number;
  errors: Record<string, number>;
};

const warmUpWindow = 4;
const steadyMs = 300;
/** Long enough for a duplicate to arrive. */
const lingerMs = 300;

async function drain(traffic: Traffic, patienceMs: number): Promise<void> {
  const givenUpAt = performance.now() + patienceMs;
  while (traffic.ledger.open() > 0 && performance.now() < givenUpAt) await pause(20);
}

async function run(options: LoadOptions): Promise<LoadResult> {
  let measuring = false;
  let measured = 0;
  const latency = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  const acceptance = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  const onDelivered = (us: number): void => {
    if (!measuring) return;
    measured += 1;
    latency.record(Math.max(1, us));
  };
  const onAccepted = (us: number): void => {
    if (measuring) acceptance.record(Math.max(1, us));
  };
  const { system } = options;
  const traffic = isPeer(system)
    ? await startPeerTraffic(system, options, onDelivered, onAccepted)
    : await startTraffic({ ...options, system }, onDelivered, onAccepted);

  const phases = async (): Promise<CpuUsage> => {
    const { shape } = options;
    let stop = traffic.closedLoop(shape.kind === 'closed' ? shape.window : warmUpWindow);
    await pause(options.warmUpMs);
    if (shape.kind === 'open') {
      stop();
      await drain(traffic, options.patienceMs);
      await pause(steadyMs);
      stop = traffic.openLoop(shape.perSecond);
      await pause(steadyMs);
    }
    const before = readCpu(options.processes);
    measuring = true;
    await pause(options.measureMs);
    measuring = false;
    const usage = cpuBetween(before, readCpu(options.processes));
    stop();
    await drain(traffic, options.patienceMs);
    await pause(lingerMs);
    return usage;
  };

  const usage = await Promise.race([phases(), traffic.failed]);
  const unanswered = traffic.ledger.open() - traffic.ledger.lost();
  const percentileMs = (of: typeof latency, share: number): number => of.percentile(share) / 1000;
  const result: LoadResult = {
    seconds: usage.seconds,
    measured,
    perSecond: measured / usage.seconds,
    p50Ms: percentileMs(latency, 50),
    p99Ms: percentileMs(latency, 99),
    acceptedP50Ms: acceptance.count > 0 ? percentileMs(acceptance, 50) : null,
    acceptedP99Ms: acceptance.count > 0 ? percentileMs(acceptance, 99) : null,
    cpu: usage.byName,
    generatorCores: usage.ownCores,
    foreignCores: usage.foreignCores,
    ...traffic.ledger.counts(),
    lost: traffic.ledger.lost(),
    unanswered,
    ...traffic.faults(),
  };
  await traffic.close();
  return result;
}

const options = (await json(process.stdin)) as LoadOptions;
console.log(JSON.stringify(await run(options)));
