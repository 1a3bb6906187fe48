import { beforeEach, describe, expect, test } from 'vitest';
import type { HistoryStore, SkipRow } from '../../../shared/history/store.ts';
import { write, block, group, member } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** A skip never covers a seq that a block holds. */
export function skipCases(subject: StoreAtHand): void {
  describe('a skip never covers a seq that a block holds', () => {
    const skip = (fromSeq: number, toSeq: number, conversation = 'c'): SkipRow => ({
      conversation,
      fromSeq,
      toSeq,
    });
    const skips = async (of: HistoryStore, conversation = 'c'): Promise<string> =>
      ((await of.conversation(conversation))?.skips ?? []).map(({ fromSeq, toSeq }) => `${fromSeq}-${toSeq}`).join(' ');
    beforeEach(
      async () =>
        void (await subject.store.write(
          write({ conversations: [group('c'), group('d')], members: [member('c', 'bob'), member('d', 'bob')] }),
        )),
    );

    test('of one that is written only what no block holds is kept', async () => {
      await subject.store.write(
        write({ blocks: [block('c', 1, 3), block('c', 6, 7), block('c', 9, 9), block('d', 4, 5)] }),
      );
      await subject.store.write(write({ skips: [skip(4, 12), skip(2, 2), skip(1, 8, 'd')] }));
      expect(await skips(subject.store)).toBe('4-5 8-8 10-12');
      expect(await skips(subject.store, 'd')).toBe('1-3 6-8');
      expect((await subject.store.conversation('c'))?.recorded).toEqual([skip(4, 5), skip(8, 8), skip(10, 12)]);
      expect((await subject.store.conversation('c'))?.lastSeq).toBe(12);
    });

    test('not in the same call either, and not below the longest block', async () => {
      await subject.store.write(write({ blocks: [block('c', 2, 1001)] }));
      expect(
        await subject.store.write(
          write({ skips: [skip(1, 1), skip(1000, 1005), skip(1001, 1001)], blocks: [block('c', 1003, 1003)] }),
        ),
      ).toEqual(['stored']);
      expect(await skips(subject.store)).toBe('1-1 1002-1002 1004-1005');
    });

    test('what blocks have come to hold since is none any more, whatever its length', async () => {
      await subject.store.write(
        write({ blocks: [block('c', 1, 2)], skips: [skip(3, 10), skip(12, 12), skip(14, 1_000_014)] }),
      );
      expect(await skips(subject.store)).toBe('3-10 12-12 14-1000014');
      await subject.store.write(
        write({ blocks: [block('c', 5, 6), block('c', 12, 12), block('c', 9, 11), block('c', 14, 15)] }),
      );
      expect(await skips(subject.open())).toBe('3-4 7-8 16-1000014');
      const given = (await subject.store.conversationsOf('bob', '', 9)).find(
        ({ member: row }) => row.conversation === 'c',
      );
      expect(given?.skips).toEqual([skip(3, 4), skip(7, 8), skip(16, 1_000_014)]);
      expect((await subject.store.conversation('c'))?.recorded).toEqual([
        skip(3, 10),
        skip(12, 12),
        skip(14, 1_000_014),
      ]);
      expect(given?.lastSeq).toBe(1_000_014);
    });

    test('nor one that a stub holds', async () => {
      await subject.store.write(write({ blocks: [block('c', 1, 4)] }));
      await subject.store.expireBlocks(1_000_000, 9);
      await subject.store.write(write({ skips: [skip(2, 6)] }));
      expect(await skips(subject.store)).toBe('5-6');
    });

    test('however many there are', async () => {
      const many = Array.from({ length: 250 }, (_, index) => skip(2 * index + 1, 2 * index + 1));
      await subject.store.write(write({ skips: many }));
      await subject.store.write(write({ blocks: [block('c', 1, 1), block('c', 101, 301), block('c', 499, 499)] }));
      expect((await subject.store.conversation('c'))?.skips).toEqual(
        many.filter(({ fromSeq }) => fromSeq !== 1 && fromSeq !== 499 && (fromSeq < 101 || fromSeq > 301)),
      );
    });
  });
}
