import { beforeEach, describe, expect, test } from 'vitest';
import { write, block, group, ranges, toExpire } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Blocks that are old enough are removed, and the end of a conversation is kept. */
export function retentionCases(subject: StoreAtHand): void {
  describe('retention', () => {
    /** Removes, where no conversation has days of its own, as many as it looks at. */
    const expired = async (before: number, limit: number): Promise<number> => {
      const { looked, removed } = await subject.store.expireBlocks(before, limit);
      expect(removed).toBe(looked);
      return removed;
    };
    beforeEach(async () => {
      await subject.store.write(toExpire);
    });

    test('removes blocks that ended before, oldest first, so many a call', async () => {
      expect(await subject.store.keptFrom('c')).toBe(1);
      expect(await expired(4001, 1)).toBe(1);
      expect(await subject.store.keptFrom('c')).toBe(3);
      expect(await expired(4001, 9)).toBe(2);
      expect(await expired(4001, 9)).toBe(0);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([block('c', 5, 6)]);
      expect(await subject.store.keptFrom('c')).toBe(5);
    });

    test('the newest block of a conversation stays as a stub, so that its seqs are never given again', async () => {
      while ((await expired(100_000, 2)) > 0);
      const stub = { conversation: 'c', firstSeq: 5, lastSeq: 6, firstAt: 0, lastAt: 0, format: 3, rev: 0, texts: [] };
      expect(await subject.store.newestBlock('c')).toEqual(stub);
      expect((await subject.store.conversation('c'))?.lastSeq).toBe(6);
      expect(await subject.store.keptFrom('c')).toBe(7);
      expect(await subject.store.blocks('d', 1, 9, 'oldest', 9)).toMatchObject([
        { firstSeq: 1, lastSeq: 3, texts: [] },
      ]);
      expect(await subject.store.changedSince(1, 9)).toEqual({ conversations: [], until: null });
      expect(await subject.store.write(write({ blocks: [block('c', 7, 7), block('c', 5, 5)] }))).toEqual([
        'stored',
        'taken',
      ]);
      expect(await subject.store.blocks('c', 1, 9, 'newest', 9)).toEqual([block('c', 7, 7), stub]);
      expect(await subject.store.keptFrom('c')).toBe(7);
    });

    test('a stub goes when what came after it goes', async () => {
      await subject.store.expireBlocks(100_000, 9);
      await subject.store.write(write({ blocks: [block('c', 7, 7), block('c', 8, 9), block('c', 10, 10)] }));
      await subject.store.expireBlocks(9001, 9);
      expect(ranges(await subject.store.blocks('c', 1, 99, 'oldest', 9))).toBe('10-10');
      expect(await subject.store.keptFrom('c')).toBe(10);
      await subject.store.expireBlocks(100_000, 9);
      expect(ranges(await subject.store.blocks('c', 1, 99, 'oldest', 9))).toBe('10-10');
      expect(await subject.store.keptFrom('c')).toBe(11);
    });

    test('where blocks overlap the one that ends last stays, whatever goes first', async () => {
      // As two archives that write at the same time may leave them; the times do not rise with the seqs.
      const long = { ...block('e', 1, 60), lastAt: 45_000 };
      await subject.store.write(
        write({
          conversations: [group('e')],
          blocks: [long, block('e', 42, 42), block('e', 43, 50), block('e', 55, 60)],
        }),
      );
      while ((await expired(100_000, 1)) > 0) expect((await subject.store.conversation('e'))?.lastSeq).toBe(60);
      expect(ranges(await subject.store.blocks('e', 1, 99, 'oldest', 9))).toBe('1-60');
      expect(await subject.store.newestBlock('e')).toMatchObject({ firstSeq: 1, lastSeq: 60, format: 3, texts: [] });
    });

    test('a half-done merge keeps the merged block, not what it is about to remove', async () => {
      const singles = [block('e', 1, 1), block('e', 2, 2), block('e', 3, 5)];
      await subject.store.write(write({ conversations: [group('e')], blocks: singles }));
      expect(await subject.store.replaceBlocks([singles[0]!], { ...block('e', 1, 5), format: 2 })).toBe(true);
      expect(ranges(await subject.store.blocks('e', 1, 9, 'oldest', 9))).toBe('1-5 2-2 3-5');
      await subject.store.expireBlocks(100_000, 99);
      expect(await subject.store.blocks('e', 1, 9, 'oldest', 9)).toMatchObject([
        { firstSeq: 1, lastSeq: 5, format: 3 },
      ]);
    });

    test('a block that was written below the end of a stub goes without it', async () => {
      await subject.store.expireBlocks(100_000, 9);
      // As the replay of a dead letter writes it.
      expect(await subject.store.write(write({ blocks: [block('c', 6, 6), block('d', 2, 2)] }))).toEqual([
        'stored',
        'stored',
      ]);
      expect(await expired(100_000, 9)).toBe(2);
      expect(ranges(await subject.store.blocks('c', 1, 9, 'oldest', 9))).toBe('5-6');
      expect(await subject.store.newestBlock('d')).toMatchObject({ firstSeq: 1, lastSeq: 3, format: 3 });
    });

    test('a merge that read a block before it became a stub does not bring its texts back', async () => {
      const read = [block('c', 5, 6), block('c', 7, 7)];
      await subject.store.write(write({ blocks: [read[1]!] }));
      await subject.store.expireBlocks(6001, 9);
      await subject.store.write(write({ blocks: [block('d', 4, 4)] }));
      expect(await subject.store.replaceBlocks(read, { ...block('c', 5, 7), format: 2 })).toBe(false);
      expect(
        await subject.store.replaceBlocks([block('d', 1, 3), block('d', 4, 4)], { ...block('d', 1, 4), format: 2 }),
      ).toBe(false);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([read[1]]);
      expect(await subject.store.blocks('d', 1, 9, 'oldest', 9)).toMatchObject([
        { lastSeq: 3, texts: [] },
        { firstSeq: 4, lastSeq: 4 },
      ]);
    });

    test('what is merged and expired at the same time keeps its end, and is whole or gone', async () => {
      for (let round = 0; round < 12; round++) {
        const raced = `race-${round}`;
        const singles = Array.from({ length: 6 }, (_, index) => block(raced, index + 1, index + 1));
        await subject.store.write(write({ conversations: [group(raced)], blocks: singles }));
        const merge = { ...block(raced, 1, 6), format: 2 };
        const other = subject.open();
        await Promise.all([
          subject.store.replaceBlocks(singles, merge),
          other.expireBlocks(100_000, 99),
          subject.open().replaceBlocks(singles, merge),
        ]);
        await other.close();
        expect((await subject.store.conversation(raced))?.lastSeq).toBe(6);
        while ((await expired(100_000, 99)) > 0);
        expect(await subject.store.newestBlock(raced)).toMatchObject({ lastSeq: 6, format: 3, texts: [] });
      }
    });

    test('a conversation of which nothing is stored is kept from its first seq on', async () => {
      expect(await subject.store.keptFrom('nowhere')).toBe(1);
    });
  });
}
