import { hostname } from 'node:os';
import { reason } from '../../shared/process/log.ts';
import type { AskedQuestion } from '../../shared/redis/search-bus.ts';
import type { Freshness, SearchAnswer, SearchCall, SearchState } from '../../shared/search/call.ts';
import type { SearchReads } from '../../shared/search/search-index.ts';
import { wallMs } from '../../shared/timing/clocks.ts';

/** Questions that one process has in hand; it refuses more at once, so that the gateway asks another. */
const mostQuestions = 100;

/** Answers the questions of gateways from an index. */
export function createAnswering(index: SearchReads, process: string) {
  let inHand = 0;

  const fresh = ({ currentAt, rebuilding }: { currentAt: number; rebuilding: boolean }): Freshness => ({
    behindMs: Math.max(0, wallMs() - currentAt),
    rebuilding,
  });

  async function state(): Promise<SearchState> {
    const { currentAt, ...found } = await index.state();
    return { ...found, ...fresh({ ...found, currentAt }), host: hostname(), process };
  }

  async function answer(call: SearchCall): Promise<SearchAnswer> {
    if (call.type === 'state') return { type: 'state', state: await state() };
    if (call.type !== 'ask') return { type: 'failed', reason: 'this version does not know the question' };
    const found = await index.ask(call.question);
    return { type: 'found', ...found, ...fresh(await index.freshness()) };
  }

  return {
    state,

    /** Never rejects. */
    async answer({ text }: Pick<AskedQuestion, 'text'>): Promise<SearchAnswer> {
      if (inHand >= mostQuestions) return { type: 'failed', reason: 'busy' };
      inHand += 1;
      try {
        return await answer(JSON.parse(text) as SearchCall);
      } catch (thrown) {
        return { type: 'failed', reason: reason(thrown) };
      } finally {
        inHand -= 1;
      }
    },
  };
}
