import type { Block, HistoryStore } from './store.ts';

/**
 * The blocks of a conversation with lastAt >= `since` (ms since 1970), in pages. They hold every message that was
 * stored when the walk began, also one whose block is merged or packed meanwhile. A message may come more than once.
 *
 * So the next page begins above the last seq that was seen. Above the first seq of the last block, it would pass over
 * the rest of a merged block that begins further below.
 */
export async function* blockPages(
  history: Pick<HistoryStore, 'blocksSince'>,
  conversation: string,
  since: number,
  blocksInPage: number,
): AsyncGenerator<Block[]> {
  for (let afterSeq = 0; ;) {
    const blocks = await history.blocksSince(conversation, since, afterSeq, blocksInPage);
    yield blocks;
    if (blocks.length < blocksInPage) return;
    afterSeq = Math.max(...blocks.map(({ lastSeq }) => lastSeq));
  }
}
