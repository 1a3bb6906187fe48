import fc from 'fast-check';
import { expect, test } from 'vitest';
import { difference, holds, missingIn, sizeOf, union, withRange } from '../../../../sdk/src/intake/ranges.ts';
import { always } from '../../../support/properties.ts';

/** Ranges against plain sets of seqs. */

const range = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 6 }))
  .map(([fromSeq, more]) => ({ fromSeq, toSeq: fromSeq + more }));
const someRanges = fc
  .array(range, { maxLength: 8 })
  .map((all) => all.reduce(withRange, [] as ReturnType<typeof union>));

const seqsOf = (ranges: readonly { fromSeq: number; toSeq: number }[]): number[] =>
  ranges.flatMap(({ fromSeq, toSeq }) => Array.from({ length: toSeq - fromSeq + 1 }, (_, index) => fromSeq + index));

test('union, difference and what is missing are those of sets, sorted and joined', () => {
  always(
    fc.property(someRanges, someRanges, (one, other) => {
      const [left, right] = [new Set(seqsOf(one)), new Set(seqsOf(other))];
      const sorted = (set: Iterable<number>) => [...set].toSorted((a, b) => a - b);
      expect(seqsOf(union(one, other))).toEqual(sorted(left.union(right)));
      expect(seqsOf(difference(one, other))).toEqual(sorted(left.difference(right)));
      expect(seqsOf(missingIn({ fromSeq: 1, toSeq: 50 }, one))).toEqual(
        seqsOf([{ fromSeq: 1, toSeq: 50 }]).filter((seq) => !left.has(seq)),
      );
      expect(sizeOf(one)).toBe(left.size);
      for (let seq = 0; seq <= 50; seq++) expect(holds(one, seq)).toBe(left.has(seq));
      const joined = union(one, other);
      for (let index = 1; index < joined.length; index++) {
        expect(joined[index]!.fromSeq).toBeGreaterThan(joined[index - 1]!.toSeq + 1);
      }
    }),
  );
});
