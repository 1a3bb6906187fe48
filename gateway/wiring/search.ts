import type { Processes } from '../../shared/redis/processes.ts';
import { createSearchCursors } from '../reads/search-cursors.ts';
import { createSearchQuestions } from '../reads/search-questions.ts';
import { createSearch } from '../reads/search.ts';
import type { GatewayContext } from './context.ts';
import type { Reads } from './reads.ts';
import type { Stores } from './stores.ts';

/** Searches, and the questions to the processes that answer them. */
export function createSearching(
  { gateway, config, metrics, keys }: GatewayContext,
  { redis, inboxes }: Stores,
  { history }: Pick<Reads, 'history'>,
  processes: Processes,
) {
  const questions = createSearchQuestions({ redis, keys, gateway, processes });
  const search = createSearch({
    questions,
    cursors: createSearchCursors(redis, keys),
    inboxes,
    history,
    kinds: config.SEARCH_KINDS,
    metrics,
  });
  return { questions, search };
}

export type Searching = ReturnType<typeof createSearching>;
