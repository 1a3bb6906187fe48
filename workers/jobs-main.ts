import type { JobQueue } from '../shared/queues.ts';
import type { ReplayJob } from '../shared/replay-requests.ts';
import { compactionEveryMs, createCompacting } from './compaction/compacting.ts';
import { createDelivering } from './deliveries.ts';
import { repeatJob } from './failed-jobs.ts';
import { measureDeployment } from './gauges.ts';
import { startNotifying } from './notifications/notifying.ts';
import { createReplays } from './replays.ts';
import { serveQueue } from './serve-queue.ts';
import { startWorker } from './worker.ts';

const deliveriesAtOnce = 50;

/** Process `jobs`: every BullMQ worker. */
await startWorker('jobs', process.env, (parts) => {
  const { config, log, metrics, redis, keys, deadLetters, history } = parts;
  const notifying = config.NOTIFY_URL === '' ? null : startNotifying(parts);
  const queues: JobQueue[] = notifying === null ? [] : [notifying.queue];
  const replay = createReplays({
    deadLetters,
    history,
    notify: notifying?.notify ?? null,
    repeat: (letter) => repeatJob(queues, letter),
    log,
  });
  queues.push(
    serveQueue(parts, 'compaction', createCompacting(parts), { everyMs: compactionEveryMs, concurrency: 4 }),
    serveQueue(parts, 'delivery', createDelivering(redis, keys, metrics), { concurrency: deliveriesAtOnce }),
    serveQueue(parts, 'dead-letter', ({ data }) => replay((data as ReplayJob).id)),
  );
  measureDeployment(parts, queues);
});
