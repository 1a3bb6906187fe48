import { beforeEach, describe, expect, test } from 'vitest';
import type { Block } from '../../../shared/history/store.ts';
import { block, group, write } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Blocks whose texts are replaced. */
export function rewritingCases(subject: StoreAtHand): void {
  describe('rewriting', () => {
    const blocks = [block('c', 1, 3), { ...block('c', 4, 6), format: 2 }, block('c', 7, 7)];
    const [first, second] = blocks as [Block, Block];
    const other = (of: Block): Block => ({ ...block('c', of.firstSeq, of.lastSeq, 'other'), format: of.format });
    const all = (): Promise<Block[]> => subject.open().blocks('c', 1, 99, 'oldest', 99);
    /** Makes a block cold, and its object where there is a cold store. */
    const cool = async (of: Block): Promise<boolean> => {
      await subject.place.put?.(of);
      return subject.store.makeCold(of);
    };
    beforeEach(async () => void (await subject.store.write(write({ conversations: [group('c')], blocks }))));

    test('puts other texts into the place of the stored ones, and raises the revision', async () => {
      for (const of of [first, second]) {
        expect(await subject.store.rewriteBlock(of, 0, other(of))).toBe(true);
        expect(await subject.store.stateOf(of)).toEqual({ format: of.format, rev: 1 });
      }
      expect(await all()).toEqual([{ ...other(first), rev: 1 }, { ...other(second), rev: 1 }, blocks[2]]);
      expect(await subject.store.rewriteBlock(first, 1, first)).toBe(true);
      expect((await all())[0]).toEqual({ ...first, rev: 2 });
    });

    test('another revision or range, a stub and nothing are left alone', async () => {
      expect(await subject.store.rewriteBlock(first, 1, other(first))).toBe(false);
      expect(await subject.store.rewriteBlock(block('c', 1, 2), 0, block('c', 1, 2))).toBe(false);
      expect(await subject.store.rewriteBlock(block('d', 1, 3), 0, block('d', 1, 3))).toBe(false);
      await expect(subject.store.rewriteBlock(first, 0, block('c', 1, 2))).rejects.toThrow('not the block');
      expect(await all()).toEqual(blocks);
      await subject.store.expireBlocks(99_000, 9);
      expect(await subject.store.rewriteBlock(blocks[2]!, 0, other(blocks[2]!))).toBe(false);
    });

    test('twice, also at once, is once', async () => {
      const answers = await Promise.all([
        subject.store.rewriteBlock(first, 0, other(first)),
        subject.open().rewriteBlock(first, 0, other(first)),
      ]);
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect((await all())[0]).toEqual({ ...other(first), rev: 1 });
    });

    test('a merge that read any of its blocks before changes nothing', async () => {
      const merged = { ...block('c', 1, 6), format: 2 };
      await subject.store.rewriteBlock(second, 0, other(second));
      expect(await subject.store.replaceBlocks([first, second], merged)).toBe(false);
      expect(await all()).toEqual([first, { ...other(second), rev: 1 }, blocks[2]]);
      // A merged block is not older than any of those that it is for.
      const read = [first, { ...second, rev: 1 }];
      await expect(subject.store.replaceBlocks(read, merged)).rejects.toThrow('not a merger');
      expect(await subject.store.replaceBlocks(read, { ...merged, rev: 1 })).toBe(true);
      expect(await all()).toEqual([{ ...merged, rev: 1 }, blocks[2]]);
      expect(await subject.store.rewriteBlock(second, 1, other(second))).toBe(false);
    });

    test('a merge of which a block is not there any more changes nothing', async () => {
      const merged = { ...block('c', 1, 7), format: 2 };
      expect(await subject.store.replaceBlocks([second, blocks[2]!], { ...block('c', 4, 7), format: 2 })).toBe(true);
      expect(await subject.store.replaceBlocks(blocks, merged)).toBe(false);
      expect(await all()).toEqual([first, { ...block('c', 4, 7), format: 2 }]);
    });

    test('a move into the cold store that read the block before changes nothing', async () => {
      await subject.store.rewriteBlock(first, 0, other(first));
      expect(await subject.store.makeCold(first)).toBe(false);
      expect((await all())[0]).toEqual({ ...other(first), rev: 1 });
      const rewritten = { ...other(first), rev: 1 };
      expect(await cool(rewritten)).toBe(true);
      expect((await all())[0]).toEqual({ ...rewritten, format: 4, texts: subject.place.put ? rewritten.texts : [] });
    });

    test('of a cold block only the revision rises, and the next object has its texts', async () => {
      await cool(first);
      const next = { ...other(first), rev: 1 };
      await subject.place.put?.(next);
      // Who read it before it became cold, and who believes that another one is cold.
      expect(await subject.store.rewriteBlock(first, 0, other(first))).toBe(false);
      expect(await subject.store.rewriteBlock(second, 0, { ...other(second), format: 4 })).toBe(false);
      expect(await subject.store.rewriteBlock(first, 0, { ...other(first), format: 4 })).toBe(true);
      expect(await subject.store.stateOf(first)).toEqual({ format: 4, rev: 1 });
      expect((await all())[0]).toEqual({ ...next, format: 4, texts: subject.place.put ? next.texts : [] });
    });

    test('merged, rewritten and cooled at the same time, no older text stands in a newer revision', async () => {
      for (let round = 0; round < 10; round++) {
        const raced = `race-${round}`;
        const singles = [1, 2, 3, 4].map((seq) => block(raced, seq, seq));
        await subject.store.write(write({ blocks: singles }));
        for (const single of singles) await subject.place.put?.(single);
        const merged = { ...block(raced, 1, 4), format: 2 };
        const [, hasRewritten] = await Promise.all([
          subject.store.replaceBlocks(singles, merged),
          subject.open().rewriteBlock(singles[2]!, 0, block(raced, 3, 3, 'other')),
          subject.open().makeCold(singles[3]!),
        ]);
        const found = await subject.open().blocks(raced, 3, 3, 'oldest', 9);
        expect(found).toEqual([hasRewritten ? { ...block(raced, 3, 3, 'other'), rev: 1 } : merged]);
      }
    });
  });
}
