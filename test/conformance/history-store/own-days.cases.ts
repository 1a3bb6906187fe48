import { beforeEach, describe, expect, test } from 'vitest';
import type { ConversationInfo } from '../../../shared/model/model.ts';
import { write, block, group, ranges, toExpire } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Retention of conversations with days of their own. */
export function ownDaysCases(subject: StoreAtHand): void {
  describe('of conversations with days of their own', () => {
    beforeEach(async () => void (await subject.store.write(toExpire)));

    const withDays = (id: string, historyDays: number | null, version: number): ConversationInfo => ({
      ...group(id, version),
      historyDays,
    });
    const set = (...conversations: ConversationInfo[]) => subject.store.write(write({ conversations }));
    const rest = async (conversation: string): Promise<string> =>
      ranges(await subject.store.blocks(conversation, 1, 99, 'oldest', 99));

    test('leaves alone what they keep, and looks at it once', async () => {
      await set(withDays('c', 400, 2));
      // Oldest first: c 1-2, d 1-3, c 3-4, c 5-6.
      expect(await subject.store.expireBlocks(100_000, 1)).toEqual({ looked: 1, removed: 0 });
      expect(await subject.store.expireBlocks(100_000, 1)).toEqual({ looked: 1, removed: 1 });
      while ((await subject.store.expireBlocks(100_000, 1)).looked > 0);
      expect(await subject.store.blocks('c', 1, 99, 'oldest', 9)).toEqual([
        block('c', 1, 2),
        { ...block('c', 3, 4), format: 2 },
        block('c', 5, 6),
      ]);
      expect(await subject.store.keptFrom('c')).toBe(1);
      expect(await rest('d')).toBe('1-3');
      expect(await subject.store.newestBlock('d')).toMatchObject({ format: 3 });
      // What is written later is looked at too, and nothing else: c 7-7 and d 4-4.
      await subject.store.write(write({ blocks: [block('c', 7, 7), block('d', 4, 4)] }));
      expect(await subject.store.expireBlocks(100_000, 9)).toEqual({ looked: 2, removed: 1 });
      expect(await subject.open().expireBlocks(100_000, 9)).toEqual({ looked: 0, removed: 0 });
    });

    test('what is kept for ever or longer is found by its time like everything else', async () => {
      await set(withDays('c', 0, 2));
      await subject.store.expireBlocks(4001, 9);
      expect(await subject.store.changedSince(2000, 9)).toEqual({ conversations: ['c'], until: 6000 });
      expect(await subject.store.changedSince(2000, 2)).toEqual({ conversations: ['c'], until: 4000 });
      expect(await subject.store.blocksAround(3500, 9)).toEqual([{ conversation: 'c', firstSeq: 3, lastSeq: 4 }]);
      expect(await subject.store.blocksSince('c', 3000, 0, 9)).toHaveLength(2);
    });

    test('removes of one what is older than its days, the oldest first', async () => {
      await set(withDays('c', 3, 2));
      expect(await subject.store.expireBlocksOf('c', 2000, 9)).toBe(0);
      expect(await subject.store.expireBlocksOf('c', 6001, 1)).toBe(1);
      expect(await rest('c')).toBe('3-4 5-6');
      expect(await subject.store.expireBlocksOf('c', 4001, 9)).toBe(1);
      expect(await subject.store.expireBlocksOf('c', 4001, 9)).toBe(0);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([block('c', 5, 6)]);
      expect(await rest('d')).toBe('1-3');
    });

    test('what was set apart goes too; the newest becomes a stub, which goes last', async () => {
      await set(withDays('c', 400, 2));
      await subject.store.expireBlocks(100_000, 9);
      expect(await subject.store.expireBlocksOf('c', 100_000, 9)).toBe(3);
      expect(await subject.store.newestBlock('c')).toMatchObject({ firstSeq: 5, lastSeq: 6, format: 3, texts: [] });
      expect((await subject.store.conversation('c'))?.lastSeq).toBe(6);
      await subject.store.write(write({ blocks: [block('c', 7, 7), block('c', 8, 8)] }));
      expect(await subject.store.expireBlocksOf('c', 7001, 9)).toBe(1);
      expect(await rest('c')).toBe('8-8');
      expect(await subject.store.keptFrom('c')).toBe(8);
    });

    test('one that has no days any more is like the others again', async () => {
      await set(withDays('c', 400, 2));
      expect(await subject.store.expireBlocks(100_000, 9)).toEqual({ looked: 4, removed: 1 });
      // A row that is older changes nothing, also not here: the next call finds out.
      await set(withDays('c', null, 2));
      await subject.store.expireBlocks(100_000, 9);
      expect(await rest('c')).toBe('1-2 3-4 5-6');
      await set(withDays('c', null, 3));
      expect(await subject.store.expireBlocks(100_000, 9)).toEqual({ looked: 3, removed: 3 });
      expect(await subject.store.newestBlock('c')).toMatchObject({ firstSeq: 5, lastSeq: 6, format: 3, texts: [] });
    });

    test('what was set apart is merged as before, and kept as before', async () => {
      await set(withDays('c', 0, 2));
      await subject.store.expireBlocks(100_000, 9);
      const places = [block('c', 1, 2), block('c', 3, 4), block('c', 5, 6)];
      const merged = { ...block('c', 1, 6), format: 2 };
      expect(await subject.store.replaceBlocks(places, merged)).toBe(true);
      while ((await subject.store.expireBlocks(100_000, 9)).looked > 0);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([merged]);
    });

    test('they are listed by their days and then by id, without those that keep everything', async () => {
      await set(
        withDays('c', null, 2),
        withDays('e', 30, 2),
        withDays('B', 30, 2),
        withDays('a', 0, 2),
        withDays('f', 7, 2),
        withDays('g', 1, 2),
      );
      const all = [
        [1, 'g'],
        [7, 'f'],
        [30, 'B'],
        [30, 'e'],
      ].map(([historyDays, conversation]) => ({ historyDays, conversation }));
      expect(await subject.store.ownDays({ historyDays: 1, conversation: '' }, 9)).toEqual(all);
      const found: unknown[] = [];
      for (let after = { historyDays: 1, conversation: '' }; ;) {
        const [next] = await subject.store.ownDays(after, 1);
        if (next === undefined) break;
        found.push(next);
        after = next;
      }
      expect(found).toEqual(all);
      await set(withDays('f', null, 3), withDays('e', 5, 3), withDays('B', 9, 1));
      expect(await subject.store.ownDays({ historyDays: 1, conversation: '' }, 9)).toEqual([
        { historyDays: 1, conversation: 'g' },
        { historyDays: 5, conversation: 'e' },
        { historyDays: 30, conversation: 'B' },
      ]);
      expect((await subject.store.conversation('e'))?.info).toEqual(withDays('e', 5, 3));
      expect((await subject.store.conversation('a'))?.info.historyDays).toBe(0);
      expect((await subject.store.conversation('f'))?.info.historyDays).toBeNull();
    });
  });
}
