import { describe, expect, test } from 'vitest';
import type { Block } from '../../../shared/history/store.ts';
import { write, block, group, member, ranges } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** What one call of `write` does, and what comes back of it. */
export function writingCases(subject: StoreAtHand): void {
  describe('writing', () => {
    test('a new store is empty', async () => {
      expect(await subject.store.newestBlock('c')).toBeNull();
      expect(await subject.store.blocks('c', 1, 100, 'oldest', 10)).toEqual([]);
      expect(await subject.store.blocksSince('c', 0, 0, 10)).toEqual([]);
      expect(await subject.store.blocksAround(1000, 10)).toEqual([]);
      expect(await subject.store.conversation('c')).toBeNull();
      expect(await subject.store.conversationsOf('bob', '', 10)).toEqual([]);
      expect(await subject.store.progress()).toEqual([]);
      expect(await subject.store.deployment()).toBeNull();
      expect(await subject.store.write(write({}))).toEqual([]);
      await subject.store.ping();
    });

    test('what was written is there after closing and opening again', async () => {
      const all = write({
        progress: { partition: 3, streamId: '1732000000000-7', completeAt: 1_732_000_000_000 },
        conversations: [group('c')],
        members: [member('c', 'bob')],
        skips: [{ conversation: 'c', fromSeq: 3, toSeq: 9 }],
        blocks: [block('c', 1, 2)],
      });
      expect(await subject.store.write(all)).toEqual(['stored']);
      await subject.store.close();

      const again = subject.open();
      expect(await again.newestBlock('c')).toEqual(block('c', 1, 2));
      expect(await again.conversation('c')).toEqual({
        info: group('c'),
        members: [member('c', 'bob')],
        skips: [{ conversation: 'c', fromSeq: 3, toSeq: 9 }],
        recorded: [{ conversation: 'c', fromSeq: 3, toSeq: 9 }],
        lastSeq: 9,
        amendSeq: 0,
      });
      expect(await again.progress()).toEqual([all.progress]);
    });

    test('every write can be repeated', async () => {
      const all = write({
        progress: { partition: 0, streamId: '5-0', completeAt: 5 },
        conversations: [group('c', 2)],
        members: [member('c', 'bob', 2)],
        skips: [{ conversation: 'c', fromSeq: 5, toSeq: 6 }],
        blocks: [block('c', 1, 2), block('c', 3, 4)],
      });
      expect(await subject.store.write(all)).toEqual(['stored', 'stored']);
      const before = await subject.store.conversation('c');
      expect(await subject.store.write(all)).toEqual(['taken', 'taken']);
      expect(await subject.store.conversation('c')).toEqual(before);
      expect(await subject.store.blocks('c', 1, 10, 'oldest', 10)).toEqual(all.blocks);
    });

    test('a block whose place is taken is not replaced', async () => {
      await subject.store.write(write({ blocks: [block('c', 1, 1, 'first')] }));
      expect(await subject.store.write(write({ blocks: [block('c', 1, 2, 'second')] }))).toEqual(['taken']);
      expect(await subject.store.blocks('c', 1, 10, 'oldest', 10)).toEqual([block('c', 1, 1, 'first')]);
    });

    test('blocks of one call are independent, outcomes come in the order given', async () => {
      await subject.store.write(write({ blocks: [block('b', 5, 6), block('c', 1, 1)] }));
      const blocks = [block('c', 2, 2), block('c', 1, 1), block('a', 1, 1), block('b', 5, 6), block('b', 7, 7)];
      expect(await subject.store.write(write({ blocks }))).toEqual(['stored', 'taken', 'stored', 'taken', 'stored']);
      expect(ranges(await subject.store.blocks('c', 1, 9, 'oldest', 9))).toBe('1-1 2-2');
      expect(ranges(await subject.store.blocks('b', 1, 9, 'oldest', 9))).toBe('5-6 7-7');
    });

    test('of two blocks with one place in one call the first is stored', async () => {
      const blocks = [block('c', 1, 1, 'first'), block('c', 1, 1, 'second')];
      expect(await subject.store.write(write({ blocks }))).toEqual(['stored', 'taken']);
      expect(await subject.store.newestBlock('c')).toEqual(blocks[0]);
    });

    test('the same seqs in another conversation are another place', async () => {
      expect(
        await subject.store.write(write({ blocks: [block('c', 1, 1), block('C', 1, 1), block('c1', 1, 1)] })),
      ).toEqual(['stored', 'stored', 'stored']);
      expect(await subject.store.newestBlock('C')).toEqual(block('C', 1, 1));
    });

    test('many blocks in one call', async () => {
      const blocks = Array.from({ length: 300 }, (_, index) => block(`c${index % 7}`, index + 1, index + 1));
      expect(await subject.store.write(write({ blocks: blocks.filter((_, index) => index % 3 === 0) }))).toHaveLength(
        100,
      );
      const outcomes = await subject.store.write(write({ blocks }));
      expect(outcomes).toEqual(blocks.map((_, index) => (index % 3 === 0 ? 'taken' : 'stored')));
    });

    test('a block that does not add up is refused, and nothing of its call is written', async () => {
      const good = block('c', 1, 2);
      const bad: Block[] = [
        { ...good, texts: ['1'] },
        { ...good, texts: ['1', '2\n3'] },
        { ...good, format: 9 },
        { ...good, firstSeq: 0, lastSeq: 1 },
        { ...good, lastSeq: 0, texts: [] },
        block('c', 1, 1001),
      ];
      for (const one of bad) {
        const refused = subject.store.write(write({ members: [member('c', 'bob')], blocks: [block('d', 1, 1), one] }));
        await expect(refused, `${one.firstSeq}-${one.lastSeq} ${one.format} ${one.texts.length}`).rejects.toThrow(
          'block c',
        );
      }
      expect(await subject.store.conversationsOf('bob', '', 10)).toEqual([]);
      expect(await subject.store.newestBlock('d')).toBeNull();
    });
  });
}
