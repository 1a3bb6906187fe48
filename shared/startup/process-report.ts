import { hostname } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Histogram } from 'prom-client';
import { type Logger, reason } from '../process/log.ts';
import type { Metrics } from '../process/metrics.ts';
import type { Registration } from '../recovery/registration.ts';
import type { Figures, PresenceCounts, Processes, Said } from '../redis/processes.ts';
import { monotonicMs } from '../timing/clocks.ts';

const reportEveryMs = 2000;
/** A sample of the deployment covers this many reports. */
const reportsPerSample = 5;
/** Sampling interval of the event loop (ms). The measured delay includes it. */
const resolutionMs = 20;

/** Counts of a histogram by upper bound (seconds). Values above the last bound count under Infinity. */
type Buckets = { upTo: number; count: number }[];

async function bucketsOf(histogram: Histogram): Promise<Buckets> {
  const { values } = await histogram.get();
  return values
    .filter(({ metricName }) => metricName?.endsWith('_bucket') === true)
    .map(({ labels, value }) => ({ upTo: labels.le === '+Inf' ? Infinity : Number(labels.le), count: value }));
}

/**
 * The bound under which a share of what came between two readings lies (ms), by the histogram's bounds; null if nothing
 * came.
 */
export function quantileMs(before: Buckets, after: Buckets, share: number): number | null {
  const counts = after.map(({ upTo, count }, i) => ({ upTo, count: count - (before[i]?.count ?? 0) }));
  const total = counts.at(-1)?.count ?? 0;
  if (total === 0) return null;
  const bounds = counts.map(({ upTo }) => upTo).filter(Number.isFinite);
  const found = counts.find(({ count }) => count >= total * share)!.upTo;
  return Math.min(found, bounds.at(-1)!) * 1000;
}

const sumOf = async (counter: { get(): Promise<{ values: { value: number }[] }> }): Promise<number> =>
  (await counter.get()).values.reduce((sum, { value }) => sum + value, 0);

/** What the metrics of a process counted up to a moment (ms, by a monotonic clock). */
type Reading = { at: number; accepted: number; pushed: number; settled: number; accept: Buckets; deliver: Buckets };

function figuresBetween(past: Reading, now: Reading): Figures {
  const seconds = Math.max(now.at - past.at, 1) / 1000;
  return {
    acceptedPerS: Math.round((now.accepted - past.accepted) / seconds),
    pushedPerS: Math.round((now.pushed - past.pushed) / seconds),
    settledPerS: Math.round((now.settled - past.settled) / seconds),
    acceptP50Ms: quantileMs(past.accept, now.accept, 0.5),
    acceptP99Ms: quantileMs(past.accept, now.accept, 0.99),
    deliverP50Ms: quantileMs(past.deliver, now.deliver, 0.5),
    deliverP99Ms: quantileMs(past.deliver, now.deliver, 0.99),
  };
}

/** Has a process report on itself every two seconds, for views of the whole deployment. */
export function reportProcess(parts: {
  id: string;
  role: string;
  metrics: Metrics;
  processes: Processes;
  connections: () => number;
  /** Of a gateway alone. */
  presence?: () => PresenceCounts;
  /** Told of each report that has arrived, with the time before it was sent. */
  registration: Pick<Registration, 'now' | 'heard'>;
  log: Logger;
  /** Others look for it as soon as it has started. */
  atOnce?: boolean;
}): { begun: Promise<void>; stop(): Promise<void> } {
  const { id, role, metrics, processes, connections, presence, registration, log, atOnce = false } = parts;
  const delay = monitorEventLoopDelay({ resolution: resolutionMs });
  delay.enable();
  const read = async (): Promise<Reading> => ({
    at: monotonicMs(),
    accepted: await sumOf(metrics.accepted),
    pushed: await sumOf(metrics.pushed),
    settled: await sumOf(metrics.settled),
    accept: await bucketsOf(metrics.acceptSeconds),
    deliver: await bucketsOf(metrics.deliverSeconds),
  });
  /** The newest last. The first is of the start, so that the first report has all that came before it. */
  let readings = [read()];

  async function report(): Promise<void> {
    readings = [...readings, read()].slice(-reportsPerSample - 1);
    const [oldest, past, now] = await Promise.all([readings[0]!, readings.at(-2)!, readings.at(-1)!]);
    const said: Said = {
      id,
      role,
      host: hostname(),
      pid: process.pid,
      connections: connections(),
      ...figuresBetween(past, now),
      sampled: figuresBetween(oldest, now),
      residentBytes: process.memoryUsage.rss(),
      eventLoopP99Ms: Math.max(0, Math.round((delay.percentile(99) / 1e6 - resolutionMs) * 10) / 10),
      ...(presence === undefined ? {} : { presence: presence() }),
    };
    delay.reset();
    const began = registration.now();
    await processes.report(said);
    registration.heard(began);
  }

  const tryReport = (): Promise<void> =>
    report().catch((thrown: unknown) => log.debug({ event: 'report_failed', reason: reason(thrown) }));
  const reports = setInterval(() => void tryReport(), reportEveryMs);
  return {
    /** Resolves once others can find it, if it reports at once. */
    begun: atOnce ? tryReport() : Promise.resolve(),
    async stop() {
      clearInterval(reports);
      delay.disable();
      await processes.leave(id).catch(() => undefined);
    },
  };
}
