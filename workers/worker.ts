import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { HistoryStore } from '../shared/history/store.ts';
import { type Config, loadConfig } from '../shared/process/config.ts';
import { createFaults, type Faults } from '../shared/process/faults.ts';
import { healthRoutes, serveHealth } from '../shared/process/health.ts';
import { createLifecycle, type Lifecycle } from '../shared/process/lifecycle.ts';
import { createLogger, type Logger } from '../shared/process/log.ts';
import { createMetrics, type Metrics } from '../shared/process/metrics.ts';
import { createReadiness } from '../shared/process/readiness.ts';
import type { DeploymentState } from '../shared/recovery/deployment.ts';
import { type Connections, whenReady } from '../shared/redis/connection/connect.ts';
import { watchPrimary } from '../shared/redis/connection/primary-watch.ts';
import type { Conversations } from '../shared/redis/conversations/conversations.ts';
import { createDeadLetters, type DeadLetters } from '../shared/redis/dead-letters.ts';
import { createKeys, type Keys } from '../shared/redis/keys.ts';
import { createProcesses } from '../shared/redis/processes.ts';
import { openStores } from '../shared/startup/open-stores.ts';
import { reportProcess } from '../shared/startup/process-report.ts';
import { type Bury, createDeadLetterWriter } from './dead-letter-writer.ts';

/** The parts that every worker process has. */
export type WorkerParts = {
  /** Random id of this run of the process. */
  id: string;
  config: Config;
  log: Logger;
  lifecycle: Lifecycle;
  metrics: Metrics;
  faults: Faults;
  connections: Connections;
  redis: Redis;
  keys: Keys;
  history: HistoryStore;
  deployment: DeploymentState;
  /** For a slot that turns out to be closed. */
  openAgain: () => void;
  conversations: Conversations;
  deadLetters: DeadLetters;
  bury: Bury;
  readiness: Pick<ReturnType<typeof createReadiness>, 'watch'>;
};

/** Said by a worker that is not alone in its process (single-process/main.ts). */
export type SharedProcess = 'shared process';

/**
 * SQLite runs on the worker's own event loop: a thread would cost every batch two more wake-ups, and nothing else has
 * to wait. So a call must not wait long for a lock that a paused process holds: it fails and is repeated.
 */
const historyAlone = { inThread: false, busyMs: 400 };
/** Others have to wait. */
const historyBesideOthers = { inThread: true };

/**
 * Starts a worker: the parts that all workers have, then `start` with its own work. A wrong configuration or a
 * deployment that does not match ends the process with exit code 1. An absent Redis or store does not.
 */
export async function startWorker(
  role: string,
  env: NodeJS.ProcessEnv,
  shared: SharedProcess | undefined,
  start: (parts: WorkerParts) => void | Promise<void>,
): Promise<void> {
  const log = createLogger(role);
  const lifecycle = createLifecycle(log);
  try {
    const config = loadConfig(env, { auth: false });
    const id = randomBytes(6).toString('hex');
    const metrics = createMetrics(role);
    const faults = createFaults(metrics, log);
    const keys = createKeys(config.KEY_PREFIX, config.PARTITIONS, config.INBOX_SHARDS);
    const { connections, redis, history, deployment, openAgain, conversations } = await openStores(
      config,
      keys,
      log,
      lifecycle,
      { id, role },
      shared === undefined ? historyAlone : historyBesideOthers,
    );
    const primary = watchPrimary(redis, keys, connections.leave);
    lifecycle.opened('primary watch', primary.stop);
    const readiness = createReadiness(redis, deployment, lifecycle);
    readiness.watch(primary.fitness);
    const health = await serveHealth(
      healthRoutes(readiness.ready, metrics.registry, faults),
      config.HOST,
      config.PORT,
      log,
    );
    lifecycle.opened('health', health.close);
    await whenReady(redis);
    await deployment.open();
    const deadLetters = createDeadLetters(redis, keys);
    const reports = reportProcess({
      id,
      role,
      metrics,
      processes: createProcesses(redis, keys),
      connections: () => 0,
      registration: deployment.registration,
      log,
    });
    lifecycle.opened('reports', reports.stop);
    const bury = createDeadLetterWriter(deadLetters, log, metrics);
    await start({
      id,
      config,
      log,
      lifecycle,
      metrics,
      faults,
      connections,
      redis,
      keys,
      history,
      deployment,
      openAgain,
      conversations,
      deadLetters,
      bury,
      readiness,
    });
    log.info({ event: 'started' });
  } catch (thrown) {
    lifecycle.fail(thrown);
  }
}
