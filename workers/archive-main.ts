import { createRecent } from '../shared/redis/recent.ts';
import { createSurges } from '../shared/redis/surges.ts';
import { createArchive } from './archive.ts';
import { runGroup } from './group-worker.ts';
import { createPace } from './pace.ts';
import { startWorker } from './worker.ts';

/** Process `archive`: group `history`. */
await startWorker('archive', process.env, (parts) => {
  const { log, history, conversations, redis, keys, metrics, faults, lifecycle, bury } = parts;
  const pace = createPace(createSurges(redis, keys), () => group.owned(), log, faults);
  const archive = createArchive({
    history,
    log,
    read: conversations.read,
    founders: conversations.founders,
    bury,
    pace,
    recent: createRecent(redis, keys),
    metrics,
  });
  const group = runGroup(parts, 'history', pace.limits, archive);
  lifecycle.opened('pace', pace.stop);
});
