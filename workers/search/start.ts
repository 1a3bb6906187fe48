import { randomBytes } from 'node:crypto';
import { openHistory } from '../../shared/history/open.ts';
import { loadConfig } from '../../shared/process/config.ts';
import { createFaults } from '../../shared/process/faults.ts';
import { healthRoutes, serveHealth } from '../../shared/process/health.ts';
import { createLifecycle } from '../../shared/process/lifecycle.ts';
import { createLogger, reason } from '../../shared/process/log.ts';
import { createMetrics } from '../../shared/process/metrics.ts';
import { createReadiness } from '../../shared/process/readiness.ts';
import { niceness, yieldProcessor } from '../../shared/process/yield-processor.ts';
import { createConnections, whenReady } from '../../shared/redis/connection/connect.ts';
import { watchPrimary } from '../../shared/redis/connection/primary-watch.ts';
import { createKeys } from '../../shared/redis/keys.ts';
import { createProcesses } from '../../shared/redis/processes.ts';
import { foundPayload } from '../../shared/redis/push-bus.ts';
import { receiveQuestions } from '../../shared/redis/search-bus.ts';
import { followSearchNotices } from '../../shared/redis/search-notices.ts';
import { openIndexThread } from '../../shared/search/sqlite/thread.ts';
import { cutterVersion } from '../../shared/search/terms.ts';
import { reportProcess } from '../../shared/startup/process-report.ts';
import { wallMs } from '../../shared/timing/clocks.ts';
import type { SharedProcess } from '../worker.ts';
import { createAnswering } from './answering.ts';
import { createCatchingUp } from './catching-up.ts';
import { createFollower } from './follower.ts';
import { joinReaders } from './readers.ts';
import { createReading } from './reading.ts';
import { createSweep } from './sweep.ts';

const noticeWaitMs = 500;
const readerThreads = 2;

/** Its reports count for nothing but views of the deployment: it sees no number that history does not have. */
const noRegistration = { now: () => ({ monotonic: 0, wall: 0 }), heard: () => undefined };

/**
 * Starts a process of the line `search`. It only reads history, and calls no script in the slot of a partition or
 * shard. So it is no witness of what Redis held: it has no row in history, and opens no deployment.
 *
 * In a process of its own it yields the processor to all others: where there is little of it, messages are found later
 * and not sent later. It writes and reads the index in threads of their own, so that a question does not wait for a
 * batch. With SEARCH_URL=off it is idle.
 */
export async function startSearch(env: NodeJS.ProcessEnv, shared?: SharedProcess): Promise<void> {
  const log = createLogger('search');
  const lifecycle = createLifecycle(log);
  try {
    const config = loadConfig(env, { auth: false });
    const id = randomBytes(6).toString('hex');
    const metrics = createMetrics('search');
    const faults = createFaults(metrics, log);
    const keys = createKeys(config.KEY_PREFIX, config.PARTITIONS, config.INBOX_SHARDS);
    const connections = createConnections(config.REDIS_URL, log);
    const redis = connections.commands();
    lifecycle.opened('redis', () => redis.disconnect());
    const blocking = connections.blocking();
    const subscriber = connections.subscriber();
    lifecycle.opened('subscriber', () => subscriber.disconnect());
    const primary = watchPrimary(redis, keys, connections.leave);
    lifecycle.opened('primary watch', primary.stop);
    const progress = { isOpen: config.searchUrl === 'off' };
    const { ready, watch } = createReadiness(redis, progress, lifecycle);
    watch(primary.fitness);
    const health = await serveHealth(healthRoutes(ready, metrics.registry, faults), config.HOST, config.PORT, log);
    lifecycle.opened('health', health.close);
    if (config.searchUrl === 'off') {
      // Whoever runs every line of the Procfile runs this one too.
      log.info({ event: 'started' });
      return;
    }
    const history = await openHistory(config.historyUrl, { inThread: true, coldUrl: config.COLD_URL });
    lifecycle.opened('history', () => history.close());
    const path = config.searchUrl.slice('sqlite:'.length);
    const readers = Array.from({ length: readerThreads }, () => openIndexThread(path));
    const reader = joinReaders(readers);
    lifecycle.opened('search reader', () => reader.close());
    const writer = openIndexThread(path);
    lifecycle.opened('search writer', () => writer.close());

    await whenReady(redis);

    const kinds = config.SEARCH_KINDS;
    const catchingUp = createCatchingUp({
      index: writer,
      owner: id,
      reading: createReading(history, kinds),
      metrics,
      log,
    });
    const follower = createFollower({
      index: writer,
      owner: id,
      recipe: `${cutterVersion} ${[...kinds].sort().join(',')}`,
      notices: followSearchNotices(redis, blocking, keys, noticeWaitMs),
      catchingUp,
      sweep: createSweep({ history, index: writer, owner: id, catchingUp }),
      faults,
      log,
    });
    watch(follower.fitness);
    lifecycle.opened('follower', () => {
      blocking.disconnect();
      return follower.stop();
    });

    // Gateways wait two seconds for an answer, and a thread takes long to begin on a busy machine. A file that cannot
    // be opened now is tried again with each question.
    await Promise.allSettled(readers.map((one) => one.freshness()));
    const answering = createAnswering(reader, id);
    metrics.searchLag(async () => {
      const { currentAt } = await reader.freshness();
      return currentAt === 0 ? [] : [{ labels: {}, value: Math.max(0, wallMs() - currentAt) / 1000 }];
    });
    metrics.searchDocs(async () => [{ labels: {}, value: (await answering.state()).docs }]);
    await receiveQuestions(subscriber, keys, id, ({ gateway, id: question, text }) => {
      void answering
        .answer({ text })
        .then((answer) => redis.publish(keys.push(gateway), foundPayload(question, JSON.stringify(answer))))
        .catch((thrown: unknown) => log.debug({ event: 'search_answer_lost', reason: reason(thrown) }));
    });
    const reports = reportProcess({
      id,
      role: 'search',
      metrics,
      processes: createProcesses(redis, keys),
      connections: () => 0,
      registration: noRegistration,
      atOnce: true,
      log,
    });
    lifecycle.opened('reports', reports.stop);
    await reports.begun;
    // Not before: on a busy machine the start would take very long.
    if (shared === undefined) yieldProcessor(niceness.last);
    progress.isOpen = true;
    log.info({ event: 'started' });
  } catch (thrown) {
    lifecycle.fail(thrown);
  }
}
