import { beforeEach, describe, expect, test } from 'vitest';
import type { Block } from '../../../shared/history/store.ts';
import { write, text, block, group } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Blocks whose texts lie in a cold store. */
export function coldBlockCases(subject: StoreAtHand): void {
  describe('cold blocks', () => {
    const blocks = [block('c', 1, 2), { ...block('c', 3, 4), format: 2 }, block('c', 5, 6), block('d', 1, 3)];
    const placeOf = ({ conversation, firstSeq, lastSeq }: Block) => ({ conversation, firstSeq, lastSeq });
    const read = (of: Block) => ({ ...placeOf(of), rev: of.rev });
    /** How a block is read once it is cold: its texts are known only where there is a cold subject.store. */
    const cold = (of: Block): Block => ({ ...of, format: 4, texts: subject.place.put ? of.texts : [] });
    const cool = async (of: Block): Promise<boolean> => {
      await subject.place.put?.(of);
      return subject.store.makeCold(read(of));
    };
    beforeEach(async () => void (await subject.store.write(write({ conversations: [group('c')], blocks }))));

    test('warm ones are found by their end, so many looked at a call', async () => {
      expect(await subject.store.warmBlocks(1, 6000, 9)).toEqual({
        ranges: [placeOf(blocks[0]!), placeOf(blocks[3]!), placeOf(blocks[1]!)],
        until: 4000,
      });
      expect(await subject.store.warmBlocks(1, 6001, 2)).toEqual({
        ranges: [placeOf(blocks[0]!), placeOf(blocks[3]!)],
        until: 3000,
      });
      expect(await subject.store.warmBlocks(3001, 6001, 2)).toEqual({
        ranges: [placeOf(blocks[1]!), placeOf(blocks[2]!)],
        until: 6000,
      });
      expect(await subject.store.warmBlocks(6001, 100_000, 2)).toEqual({ ranges: [], until: null });
      await cool(blocks[0]!);
      expect(await subject.store.warmBlocks(1, 2001, 9)).toEqual({ ranges: [], until: 2000 });
    });

    test('a block becomes cold once, and keeps its place and times', async () => {
      for (const one of blocks.slice(0, 3)) expect(await cool(one)).toBe(true);
      expect(await subject.open().makeCold(read(blocks[0]!))).toBe(false);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual(blocks.slice(0, 3).map(cold));
      expect(await subject.open().newestBlock('c')).toEqual(cold(blocks[2]!));
      expect(await subject.store.blocksSince('c', 4000, 1, 9)).toEqual(blocks.slice(1, 3).map(cold));
      expect(await subject.store.blocks('d', 1, 9, 'oldest', 9)).toEqual([blocks[3]]);
      expect([
        await subject.store.stateOf(placeOf(blocks[1]!)),
        await subject.store.stateOf(placeOf(blocks[3]!)),
      ]).toEqual([
        { format: 4, rev: 0 },
        { format: 1, rev: 0 },
      ]);
      expect((await subject.store.conversation('c'))?.lastSeq).toBe(6);
      expect(await subject.store.keptFrom('c')).toBe(1);
      expect(await subject.store.write(write({ blocks: [blocks[0]!, block('c', 7, 7)] }))).toEqual(['taken', 'stored']);
    });

    test('only the one that was read: another range, a stub and nothing are left alone', async () => {
      expect(await subject.store.makeCold({ conversation: 'c', firstSeq: 1, lastSeq: 1, rev: 0 })).toBe(false);
      expect(await subject.store.makeCold({ conversation: 'x', firstSeq: 1, lastSeq: 2, rev: 0 })).toBe(false);
      expect(await subject.store.stateOf({ conversation: 'c', firstSeq: 1, lastSeq: 1 })).toBeNull();
      await subject.store.expireBlocks(3001, 9);
      expect(await subject.store.makeCold(read(blocks[3]!))).toBe(false);
      expect(await subject.store.stateOf(placeOf(blocks[3]!))).toEqual({ format: 3, rev: 0 });
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual(blocks.slice(1, 3));
    });

    test('retention removes them as others, and the newest becomes a stub', async () => {
      for (const one of blocks) await cool(one);
      expect(await subject.store.expireBlocks(100_000, 9)).toEqual({ looked: 4, removed: 4 });
      expect(await subject.store.ranges('c', 1, 9)).toEqual([placeOf(blocks[2]!)]);
      expect(await subject.store.stateOf(placeOf(blocks[2]!))).toEqual({ format: 3, rev: 0 });
      expect((await subject.store.conversation('c'))?.lastSeq).toBe(6);
      expect(await subject.store.newestBlock('d')).toMatchObject({ firstSeq: 1, lastSeq: 3, format: 3, texts: [] });
    });

    test('a merge that read its first block before it became cold changes nothing; its others may have', async () => {
      const merged = { ...block('c', 1, 6), format: 2 };
      await cool(blocks[0]!);
      expect(await subject.store.replaceBlocks(blocks.slice(0, 3).map(read), merged)).toBe(false);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([cold(blocks[0]!), blocks[1], blocks[2]]);
      await cool(blocks[2]!);
      expect(await subject.store.replaceBlocks(blocks.slice(1, 3).map(read), { ...block('c', 3, 6), format: 2 })).toBe(
        true,
      );
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([
        cold(blocks[0]!),
        { ...block('c', 3, 6), format: 2 },
      ]);
    });

    test('cooled, merged and expired at the same time, every seq is whole or gone', async () => {
      for (let round = 0; round < 12; round++) {
        const raced = `race-${round}`;
        const singles = Array.from({ length: 6 }, (_, index) => block(raced, index + 1, index + 1));
        await subject.store.write(write({ conversations: [group(raced)], blocks: singles }));
        const merge = { ...block(raced, 1, 6), format: 2 };
        await subject.place.put?.(merge);
        const others = [subject.open(), subject.open()];
        await Promise.all([
          subject.store.replaceBlocks(singles, merge),
          ...singles.map(cool),
          others[0]!.makeCold(merge),
          others[1]!.expireBlocks(3001, 99),
        ]);
        const found = await subject.store.blocks(raced, 1, 6, 'oldest', 99);
        for (const seq of [4, 5, 6]) {
          const holding = found.filter(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq);
          expect(holding.length).toBeGreaterThan(0);
          if (subject.place.put)
            expect(holding.some(({ firstSeq, texts }) => texts[seq - firstSeq] === text(raced, seq))).toBe(true);
        }
        await Promise.all(others.map((one) => one.close()));
      }
    });
  });
}
