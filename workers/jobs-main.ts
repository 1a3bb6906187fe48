import type { ReplayJob } from '../shared/replay-requests.ts';
import { createReplays } from './replays.ts';
import { serveQueue } from './serve-queue.ts';
import { createTrimming } from './trimming.ts';
import { startWorker } from './worker.ts';

const trimEveryMs = 2000;

/** Process `jobs`: every BullMQ worker. */
await startWorker('jobs', process.env, async (parts) => {
  const { log, metrics, redis, keys, deployment, deadLetters, history } = parts;
  const compaction = serveQueue(parts, 'compaction', createTrimming(redis, keys, metrics, log, deployment.open));
  await compaction.upsertJobScheduler('trim', { every: trimEveryMs }, { name: 'trim' });
  const replay = createReplays({ deadLetters, history, log });
  serveQueue(parts, 'dead-letter', ({ data }) => replay((data as ReplayJob).id));
});
