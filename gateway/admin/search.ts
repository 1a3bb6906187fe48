import { Refusal } from '../../shared/model/errors.ts';
import type { SearchNotices } from '../../shared/redis/search-notices.ts';
import type { SearchState } from '../../shared/search/call.ts';
import type { SearchQuestions } from '../reads/search-questions.ts';

/** The search indexes, as their processes report them. */
export function createSearchAdmin(
  questions: Pick<SearchQuestions, 'askAll'>,
  notices: Pick<SearchNotices, 'tell'>,
  served: boolean,
) {
  return {
    /** One row for each process; those that share a file report the same index. */
    async state(): Promise<{ served: boolean; processes: SearchState[] }> {
      const answers = served ? await questions.askAll({ type: 'state' }) : [];
      return { served, processes: answers.flatMap((answer) => (answer.type === 'state' ? [answer.state] : [])) };
    },

    /** Has every index made again. */
    async rebuild(): Promise<{ state: 'requested' }> {
      if (!served) throw new Refusal('not_found', 'SEARCH_URL is off');
      await notices.tell({ type: 'rebuild' });
      return { state: 'requested' };
    },
  };
}

export type SearchAdmin = ReturnType<typeof createSearchAdmin>;
