import pLimit from 'p-limit';
import { type Block, blockFormats, type HistoryStore } from '../store.ts';
import { coldName, textsOf } from './cold-block.ts';
import type { ObjectStore } from './objects.ts';

const readsAtOnce = 8;

/**
 * The same history, with the texts of cold blocks from where their objects are: readers do not see the difference but
 * in `format`. Null: there is no such place, and what is cold cannot be read. An object that retention or a merge
 * removes while it is being read makes the read reject; the next one finds what is there now.
 */
export function withCold(store: HistoryStore, objects: ObjectStore | null): HistoryStore {
  const limit = pLimit(readsAtOnce);

  async function whole(block: Block): Promise<Block> {
    if (block.format !== blockFormats.cold) return block;
    const name = coldName(block);
    if (objects === null) throw new Error(`the texts of ${name} are in the cold store, and COLD_URL is not set`);
    const object = await limit(() => objects.get(name));
    return { ...block, texts: textsOf(object, block) };
  }
  const wholes = async (blocks: Promise<Block[]>): Promise<Block[]> => Promise.all((await blocks).map(whole));

  return {
    ...store,
    async newestBlock(conversation) {
      const block = await store.newestBlock(conversation);
      return block && whole(block);
    },
    blocks: (...asked) => wholes(store.blocks(...asked)),
    blocksSince: (...asked) => wholes(store.blocksSince(...asked)),
  };
}
