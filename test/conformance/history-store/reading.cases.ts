import { beforeEach, describe, expect, test } from 'vitest';
import { write, block, group, ranges } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Finding blocks: by range, by time, the newest. */
export function readingCases(subject: StoreAtHand): void {
  describe('reading a range', () => {
    beforeEach(async () => {
      await subject.store.write(
        write({
          blocks: [block('c', 11, 20), block('c', 1, 10), block('c', 31, 31), block('c', 21, 30), block('d', 1, 50)],
        }),
      );
    });

    test.each([
      [1, 31, '1-10 11-20 21-30 31-31'],
      [10, 11, '1-10 11-20'],
      [11, 11, '11-20'],
      [15, 15, '11-20'],
      [20, 21, '11-20 21-30'],
      [31, 99, '31-31'],
      [32, 99, ''],
      [0, 0, ''],
      [-5, 1, '1-10'],
      [5, 4, '1-10'],
    ])('[%i, %i] is in the blocks %s', async (fromSeq, toSeq, expected) => {
      // An empty range holds no seq; a store may answer the block around it.
      if (fromSeq > toSeq)
        return expect(ranges(await subject.store.blocks('c', fromSeq, toSeq, 'oldest', 9))).toMatch(/^(1-10)?$/);
      expect(ranges(await subject.store.blocks('c', fromSeq, toSeq, 'oldest', 9))).toBe(expected);
      const newest = expected.split(' ').toReversed().join(' ');
      expect(ranges(await subject.store.blocks('c', fromSeq, toSeq, 'newest', 9))).toBe(newest);
    });

    test('the limit keeps the first of the order', async () => {
      expect(ranges(await subject.store.blocks('c', 5, 31, 'oldest', 2))).toBe('1-10 11-20');
      expect(ranges(await subject.store.blocks('c', 5, 31, 'newest', 2))).toBe('31-31 21-30');
      expect(ranges(await subject.store.blocks('c', 5, 25, 'newest', 1))).toBe('21-30');
      expect(await subject.store.blocks('c', 5, 25, 'newest', 0)).toEqual([]);
    });

    test('the longest block is found from its last seq', async () => {
      await subject.store.write(write({ blocks: [block('e', 2, 1001), block('e', 1002, 1002)] }));
      expect(ranges(await subject.store.blocks('e', 1001, 1001, 'oldest', 9))).toBe('2-1001');
      expect(ranges(await subject.store.blocks('e', 1001, 2000, 'newest', 9))).toBe('1002-1002 2-1001');
      expect(await subject.store.blocks('e', 1, 1, 'oldest', 9)).toEqual([]);
    });

    test('overlapping blocks are all given', async () => {
      // As two archives that write at the same time may leave them.
      await subject.store.write(
        write({
          blocks: [block('c', 41, 60), block('c', 42, 42), block('c', 43, 50), block('c', 58, 60), block('c', 61, 61)],
        }),
      );
      expect(ranges(await subject.store.blocks('c', 51, 59, 'oldest', 9))).toBe('41-60 58-60');
      expect(ranges(await subject.store.blocks('c', 45, 61, 'newest', 9))).toBe('61-61 58-60 43-50 41-60');
    });
  });

  test('the newest block is the one with the highest last seq, also where blocks overlap', async () => {
    await subject.store.write(
      write({ conversations: [group('c')], blocks: [block('c', 1, 60), block('c', 42, 42), block('d', 1, 99)] }),
    );
    expect(await subject.store.newestBlock('c')).toEqual(block('c', 1, 60));
    expect((await subject.store.conversation('c'))?.lastSeq).toBe(60);
    await subject.store.write(write({ blocks: [block('c', 61, 61)] }));
    expect(await subject.store.newestBlock('c')).toEqual(block('c', 61, 61));
  });

  test('changes since a moment, and where blocks lie', async () => {
    await subject.store.write(
      write({ blocks: [block('a', 1, 2), block('a', 3, 5), block('b', 4, 4), block('c', 9, 9)] }),
    );
    expect(await subject.store.changedSince(2000, 9)).toEqual({ conversations: ['a', 'b', 'c'], until: 9000 });
    expect(await subject.store.changedSince(2001, 2)).toEqual({ conversations: ['b', 'a'], until: 5000 });
    expect(await subject.store.changedSince(9001, 2)).toEqual({ conversations: [], until: null });
    const lie = async (fromSeq: number, limit: number) =>
      (await subject.store.ranges('a', fromSeq, limit)).map(({ firstSeq, lastSeq }) => [firstSeq, lastSeq]);
    expect(await lie(1, 9)).toEqual([
      [1, 2],
      [3, 5],
    ]);
    expect(await lie(1, 1)).toEqual([[1, 2]]);
    expect(await lie(2, 9)).toEqual([[3, 5]]);
  });

  test('blocks around a moment, of every conversation, those that end soonest first', async () => {
    await subject.store.write(
      write({ blocks: [block('a', 1, 9), block('b', 5, 6), block('c', 1, 4), block('c', 5, 5), block('d', 6, 20)] }),
    );
    const around = async (at: number, limit = 9) =>
      (await subject.store.blocksAround(at, limit)).map(
        ({ conversation, firstSeq, lastSeq }) => `${conversation} ${firstSeq}-${lastSeq}`,
      );
    expect(await around(5000)).toEqual(['c 5-5', 'b 5-6', 'a 1-9']);
    expect(await around(6000, 2)).toEqual(['b 5-6', 'a 1-9']);
    expect(await around(21_000)).toEqual([]);
    // Looked at are the blocks of c and b first, of which only one encloses the moment.
    expect(await around(2000, 3)).toEqual(['c 1-4']);
    expect(await around(2000, 4)).toEqual(['c 1-4', 'a 1-9']);
  });

  test('blocks since a moment, in pages', async () => {
    const blocks = [1, 3, 5, 7, 9].map((first) => block('c', first, first + 1));
    await subject.store.write(write({ blocks: [...blocks.toReversed(), block('d', 1, 20)] }));
    expect(ranges(await subject.store.blocksSince('c', 6000, 0, 9))).toBe('5-6 7-8 9-10');
    expect(ranges(await subject.store.blocksSince('c', 6001, 0, 9))).toBe('7-8 9-10');
    expect(ranges(await subject.store.blocksSince('c', 0, 0, 2))).toBe('1-2 3-4');
    expect(ranges(await subject.store.blocksSince('c', 0, 4, 2))).toBe('5-6 7-8');
    expect(ranges(await subject.store.blocksSince('c', 0, 3, 2))).toBe('3-4 5-6');
    expect(ranges(await subject.store.blocksSince('c', 6000, 8, 9))).toBe('9-10');
    expect(await subject.store.blocksSince('c', 10_001, 0, 9)).toEqual([]);
  });

  test('blocks since a moment are all given when the clock of a later one was behind', async () => {
    const late = { ...block('c', 3, 4), firstAt: 1500, lastAt: 1600 };
    await subject.store.write(write({ blocks: [block('c', 1, 2), late, block('c', 5, 6)] }));
    expect(ranges(await subject.store.blocksSince('c', 1800, 0, 9))).toBe('1-2 5-6');
  });
}
