import { reason } from '../shared/process/log.ts';
import { niceness, yieldProcessor } from '../shared/process/yield-processor.ts';
import { createRecent } from '../shared/redis/conversations/recent.ts';
import { createSearchNotices } from '../shared/redis/search-notices.ts';
import { createSurges } from '../shared/redis/streams/surges.ts';
import { createArchive } from './archive/archive.ts';
import { createPace } from './archive/pace.ts';
import { runGroup } from './stream/run-group.ts';
import { type SharedProcess, startWorker } from './worker.ts';

/** Starts the role `archive`: group `history`. */
export const startArchive = (env: NodeJS.ProcessEnv, shared?: SharedProcess): Promise<void> =>
  startWorker('archive', env, shared, (parts) => {
    const { config, log, history, conversations, redis, keys, metrics, faults, lifecycle, bury } = parts;
    const noNotice = (thrown: unknown) => log.debug({ event: 'search_notice_lost', reason: reason(thrown) });
    const pace = createPace(createSurges(redis, keys), () => group.owned(), log, faults);
    const archive = createArchive({
      history,
      log,
      read: conversations.read,
      founders: conversations.founders,
      bury,
      pace,
      recent: createRecent(redis, keys),
      ...(config.searchUrl === 'off' ? {} : { notices: createSearchNotices(redis, keys, noNotice) }),
      metrics,
      keys,
    });
    const group = runGroup(parts, 'history', pace.limits, archive);
    lifecycle.opened('pace', pace.stop);
    if (shared === undefined) yieldProcessor(niceness.behind);
  });
