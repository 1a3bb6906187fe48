import type { Block, HistoryStore } from '../../shared/history/store.ts';
import { type Amendment, targetOf } from '../../shared/model/amendment.ts';
import type { LiveConversation } from '../../shared/redis/conversations/conversations.ts';

/**
 * What a read of the store found: blocks, and what is laid over them. `joined`: another reader began it, so it may have
 * begun before this one.
 */
export type StoreRead = { blocks: Block[]; amendments: Amendment[]; joined: boolean };

type Found = Omit<StoreRead, 'joined'>;
type UnderWay = { amendSeq: number; found: Promise<Found> };
type Reader = Pick<LiveConversation, 'info' | 'amendSeq' | 'amendments'>;

/** Whether one of the texts of a range amends a message outside of it. */
const amendsOutside = (blocks: readonly Block[], fromSeq: number, toSeq: number): boolean =>
  blocks.some(({ firstSeq, texts }) =>
    texts.some((text, i) => {
      if (firstSeq + i < fromSeq || firstSeq + i > toSeq) return false;
      const target = targetOf(text);
      return target !== null && target < fromSeq;
    }),
  );

/**
 * Single flight: readers of the same range of a conversation share the read that is under way. Many devices of a group
 * fetch the same page at the same moment.
 *
 * _Must hold:_ nobody gets a text that was amended before it asked Redis. So a reader that knows of a newer amendment
 * joins no read, and who joins one also takes the amendments that were not stored when it was begun: they may have been
 * stored since, and the joining reader found them nowhere in Redis (test/model/amending.test.ts).
 */
export function createCoalescedReads(history: Pick<HistoryStore, 'blocks' | 'amendments' | 'amendmentsBy'>) {
  const underWay = new Map<string, UnderWay>();

  async function alone({ info, amendSeq, amendments }: Reader, fromSeq: number, toSeq: number): Promise<Found> {
    // A conversation without an amendment from here on asks for none.
    const mayBeAmended = amendSeq >= fromSeq;
    const [blocks, rows] = await Promise.all([
      history.blocks(info.id, fromSeq, toSeq, 'oldest', 2 * (toSeq - fromSeq + 1)),
      mayBeAmended ? history.amendments(info.id, fromSeq, toSeq) : [],
    ]);
    const more =
      mayBeAmended && amendsOutside(blocks, fromSeq, toSeq) ? await history.amendmentsBy(info.id, fromSeq, toSeq) : [];
    return { blocks, amendments: [...amendments, ...rows, ...more] };
  }

  return {
    alone,
    async joined(reader: Reader, fromSeq: number, toSeq: number): Promise<StoreRead> {
      const range = `${reader.info.id} ${fromSeq} ${toSeq}`;
      const begun = underWay.get(range);
      if (begun !== undefined && reader.amendSeq <= begun.amendSeq) return { ...(await begun.found), joined: true };
      const own: UnderWay = { amendSeq: reader.amendSeq, found: alone(reader, fromSeq, toSeq) };
      underWay.set(range, own);
      const end = (): void => void (underWay.get(range) === own && underWay.delete(range));
      own.found.then(end, end);
      return { ...(await own.found), joined: false };
    },
  };
}
