import type { ReplayJob } from '../shared/replay-requests.ts';
import { startNotifying } from './notifications/notifying.ts';
import { createReplays } from './replays.ts';
import { serveQueue } from './serve-queue.ts';
import { createTrimming } from './trimming.ts';
import { startWorker } from './worker.ts';

const trimEveryMs = 2000;

/** Process `jobs`: every BullMQ worker. */
await startWorker('jobs', process.env, (parts) => {
  const { config, log, metrics, redis, keys, deployment, deadLetters, history } = parts;
  serveQueue(parts, 'compaction', createTrimming(redis, keys, metrics, log, deployment.open), { everyMs: { trim: trimEveryMs } });
  const notify = config.NOTIFY_URL === '' ? null : startNotifying(parts).notify;
  const replay = createReplays({ deadLetters, history, notify, log });
  serveQueue(parts, 'dead-letter', ({ data }) => replay((data as ReplayJob).id));
});
