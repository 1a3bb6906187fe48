import type { JobQueue } from '../shared/jobs/queues.ts';
import type { ReplayJob } from '../shared/jobs/replay-requests.ts';
import { niceness, yieldProcessor } from '../shared/process/yield-processor.ts';
import { createRecent } from '../shared/redis/conversations/recent.ts';
import { createSearchNotices } from '../shared/redis/search-notices.ts';
import { createSentPool } from '../shared/redis/streams/sent-pool.ts';
import { compactionEveryMs, createCompacting } from './compaction/compacting.ts';
import { measureDeployment } from './jobs/deployment-gauges.ts';
import { repeatJob } from './jobs/failed-jobs.ts';
import { raiseFormats } from './jobs/raising-formats.ts';
import { createRedelivering } from './jobs/redelivery.ts';
import { createReplays } from './jobs/replays.ts';
import { sampleDeployment } from './jobs/sampling.ts';
import { serveQueue } from './jobs/serve-queue.ts';
import { sweepProcesses } from './jobs/sweeping-processes.ts';
import { startNotifying } from './notifications/start.ts';
import { type SharedProcess, startWorker } from './worker.ts';

const redeliveriesAtOnce = 50;

/** Starts the role `jobs`: every BullMQ worker. */
export const startJobs = (env: NodeJS.ProcessEnv, shared?: SharedProcess): Promise<void> =>
  startWorker('jobs', env, shared, (parts) => {
    const { config, log, metrics, redis, keys, deadLetters, history } = parts;
    const notifying = startNotifying(parts);
    const notices = createSearchNotices(redis, keys, () => undefined);
    const recent = createRecent(redis, keys);
    const queues: JobQueue[] = notifying === null ? [] : [notifying.queue];
    const replay = createReplays({
      deadLetters,
      history,
      sends: createSentPool(redis, keys, config.dedupeMs),
      notify: notifying?.notify ?? null,
      late: async (message) => {
        await recent.forget(message.conversation);
        if (config.searchUrl !== 'off') await notices.tell({ type: 'filled', ...message });
      },
      repeat: (letter) => repeatJob(queues, letter),
      log,
    });
    queues.push(
      serveQueue(parts, 'compaction', createCompacting(parts), { everyMs: compactionEveryMs, concurrency: 4 }),
      serveQueue(parts, 'delivery', createRedelivering(redis, keys, metrics), { concurrency: redeliveriesAtOnce }),
      serveQueue(parts, 'dead-letter', ({ data }) => replay((data as ReplayJob).id)),
    );
    measureDeployment(parts, queues);
    raiseFormats(parts);
    sweepProcesses(parts);
    sampleDeployment(parts);
    if (shared === undefined) yieldProcessor(niceness.behind);
  });
