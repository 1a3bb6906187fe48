import { createArchive } from './archive.ts';
import { runGroup } from './group-worker.ts';
import { startWorker } from './worker.ts';

/** Process `archive`: group `history`. */
await startWorker('archive', process.env, (parts) => {
  const { log, history, conversations } = parts;
  runGroup(parts, 'history', { entries: 1000, pauseFrom: 40, pauseMs: 50 }, createArchive({
    history,
    log,
    read: conversations.read,
    bury: parts.bury,
  }));
});
