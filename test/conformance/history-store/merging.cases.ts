import { beforeEach, describe, expect, test } from 'vitest';
import type { Block } from '../../../shared/history/store.ts';
import { blockPages } from '../../../shared/history/walking.ts';
import { write, block } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

/** Several blocks become one. */
export function mergingCases(subject: StoreAtHand): void {
  describe('merging', () => {
    const singles = [block('c', 1, 1), block('c', 2, 2), block('c', 3, 5), block('c', 6, 6)];
    const merged: Block = { ...block('c', 1, 5), format: 2 };
    const places = singles
      .slice(0, 3)
      .map(({ conversation, firstSeq, lastSeq, rev }) => ({ conversation, firstSeq, lastSeq, rev }));
    beforeEach(async () => void (await subject.store.write(write({ blocks: singles }))));

    test('puts one block into the place of several', async () => {
      expect(await subject.store.replaceBlocks(places, merged)).toBe(true);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([merged, block('c', 6, 6)]);
      expect(await subject.open().newestBlock('c')).toEqual(block('c', 6, 6));
    });

    test('a walk in pages sees every message, though blocks are merged under it', async () => {
      const many = Array.from({ length: 9 }, (_, i) => block('w', i + 1, i + 1));
      await subject.store.write(write({ blocks: many }));
      const seen = new Set<number>();
      for await (const page of blockPages(subject.store, 'w', 0, 4)) {
        for (const { firstSeq, lastSeq } of page) for (let seq = firstSeq; seq <= lastSeq; seq++) seen.add(seq);
        if (seen.size === 4) {
          const all = many.map(({ conversation, firstSeq, lastSeq, rev }) => ({
            conversation,
            firstSeq,
            lastSeq,
            rev,
          }));
          expect(await subject.store.replaceBlocks(all, { ...block('w', 1, 9), format: 2 })).toBe(true);
        }
      }
      expect([...seen]).toEqual(many.map(({ firstSeq }) => firstSeq));
    });

    test('what does not hold all of them is refused, and nothing is lost', async () => {
      for (const wrong of [
        { ...block('c', 1, 4), format: 2 },
        { ...block('c', 2, 5), format: 2 },
        { ...merged, conversation: 'd' },
      ]) {
        await expect(subject.store.replaceBlocks(places, wrong)).rejects.toThrow('not a merger');
      }
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual(singles);
    });

    test('twice, also at once, is once', async () => {
      const answers = await Promise.all([
        subject.store.replaceBlocks(places, merged),
        subject.open().replaceBlocks(places, merged),
      ]);
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await subject.store.replaceBlocks(places, merged)).toBe(false);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([merged, block('c', 6, 6)]);
    });

    test('does nothing where the first block has become another', async () => {
      expect(
        await subject.store.replaceBlocks([{ conversation: 'c', firstSeq: 1, lastSeq: 2, rev: 0 }, places[2]!], merged),
      ).toBe(false);
      expect(
        await subject.store.replaceBlocks([{ conversation: 'd', firstSeq: 1, lastSeq: 1, rev: 0 }], {
          ...merged,
          conversation: 'd',
        }),
      ).toBe(false);
      expect(places.length).toBe(3);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual(singles);
    });

    test('what a stopped merge left is removed by its repetition', async () => {
      await subject.store.replaceBlocks(places.slice(0, 1), merged);
      expect((await subject.store.blocks('c', 1, 9, 'oldest', 9)).length).toBe(4);
      const whole = { conversation: 'c', firstSeq: 1, lastSeq: 5, rev: 0 };
      const again = { ...merged, rev: 1 };
      await expect(subject.store.replaceBlocks([whole, ...places.slice(1)], merged)).rejects.toThrow('not a merger');
      expect(await subject.store.replaceBlocks([whole, ...places.slice(1)], again)).toBe(true);
      expect(await subject.store.blocks('c', 1, 9, 'oldest', 9)).toEqual([again, block('c', 6, 6)]);
    });

    test('the place of a merged block is taken', async () => {
      await subject.store.replaceBlocks(places, merged);
      expect(await subject.store.write(write({ blocks: [block('c', 1, 1)] }))).toEqual(['taken']);
      expect(await subject.store.write(write({ blocks: [block('c', 7, 7)] }))).toEqual(['stored']);
      expect((await subject.store.newestBlock('c'))?.lastSeq).toBe(7);
    });
  });
}
