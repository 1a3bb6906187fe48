import type { Block, HistoryStore } from '../../shared/history/store.ts';

/** What a read of the store found. `joined`: another reader began it, so it may have begun before this one. */
export type StoreRead = { blocks: Block[]; joined: boolean };

/**
 * Single flight: readers of the same range of a conversation share the read that is under way. Many devices of a group
 * fetch the same page at the same moment.
 */
export function createCoalescedReads(history: Pick<HistoryStore, 'blocks'>) {
  const underWay = new Map<string, Promise<Block[]>>();

  const alone = (conversation: string, fromSeq: number, toSeq: number): Promise<Block[]> =>
    history.blocks(conversation, fromSeq, toSeq, 'oldest', 2 * (toSeq - fromSeq + 1));

  return {
    alone,
    async joined(conversation: string, fromSeq: number, toSeq: number): Promise<StoreRead> {
      const range = `${conversation} ${fromSeq} ${toSeq}`;
      const begun = underWay.get(range);
      if (begun !== undefined) return { blocks: await begun, joined: true };
      const read = alone(conversation, fromSeq, toSeq).finally(() => underWay.delete(range));
      underWay.set(range, read);
      return { blocks: await read, joined: false };
    },
  };
}
