import type { HistoryStore } from '../../shared/history/store.ts';
import type { SearchIndex, Target } from '../../shared/search/search-index.ts';
import { type CatchingUp, LeaseLost } from './catching-up.ts';

const conversationsInPage = 500;

/**
 * Walks over all conversations and brings up to date what no notice told of. It also repairs what an older copy of the
 * file, or of history, has left behind: a conversation that is indexed further than history goes is read from its
 * beginning.
 */
export function createSweep(parts: {
  history: Pick<HistoryStore, 'conversationIds' | 'lastSeqs' | 'keptFrom'>;
  index: Pick<SearchIndex, 'places' | 'removeBelow'>;
  owner: string;
  catchingUp: CatchingUp;
}) {
  const { history, index, owner, catchingUp } = parts;

  async function removeExpired(target: Target, conversation: string, floor: number): Promise<void> {
    const kept = await history.keptFrom(conversation);
    for (let more: boolean | null = kept > floor; more;) {
      more = await index.removeBelow(owner, target, conversation, kept);
      if (more === null) throw new LeaseLost('the lease of the search index is lost');
    }
  }

  /** `removing`: also removes what retention has removed. Resolves how many conversations were behind. */
  return async (target: Target, removing: boolean, stopped: () => boolean): Promise<number> => {
    let behind = 0;
    for (let after = ''; !stopped();) {
      const ids = await history.conversationIds(after, conversationsInPage);
      if (ids.length === 0) return behind;
      after = ids.at(-1)!;
      const [lastSeqs, places] = [await history.lastSeqs(ids), await index.places(target, ids)];
      const due: string[] = [];
      for (const id of ids) {
        const place = places.get(id);
        const last = lastSeqs.get(id) ?? 0;
        if (place !== undefined && place.indexedTo > last) await catchingUp.forget(target, id);
        if ((place?.indexedTo ?? 0) !== last) due.push(id);
        if (removing && place !== undefined) await removeExpired(target, id, place.floor);
      }
      behind += due.length;
      await catchingUp.upToDate(target, due, stopped);
    }
    return behind;
  };
}

export type Sweep = ReturnType<typeof createSweep>;
