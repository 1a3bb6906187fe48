import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SeqRange, Span } from '../../../../shared/model/model.ts';
import { seqsOf, withinSpans, without } from '../../../../shared/model/seq-ranges.ts';
import { covers, decodeSpans, encodeSpans } from '../../../../shared/model/spans.ts';
import { always } from '../../../support/properties.ts';

const most = 30;

/** Rising, and apart from each other. */
const ranges: fc.Arbitrary<SeqRange[]> = fc
  .uniqueArray(fc.integer({ min: 1, max: most }), { maxLength: 8 })
  .map((ends) => {
    const rising = ends.toSorted((a, b) => a - b);
    return Array.from({ length: Math.floor(rising.length / 2) }, (_, i) => ({
      fromSeq: rising[2 * i]!,
      toSeq: rising[2 * i + 1]!,
    }));
  });

const spans: fc.Arbitrary<Span[]> = fc.tuple(ranges, fc.boolean()).map(([some, isMember]) =>
  some.map(({ fromSeq, toSeq }, i) => ({
    joined: fromSeq - 1,
    left: isMember && i === some.length - 1 ? null : toSeq,
  })),
);

const seqsIn = (some: readonly SeqRange[]): number[] => some.flatMap((range) => [...seqsOf(range, true)]);

test('takes from ranges exactly the seqs of other ranges', () => {
  always(
    fc.property(ranges, ranges, (all, removed) => {
      const holes = new Set(seqsIn(removed));
      expect(seqsIn(without(all, removed))).toEqual(seqsIn(all).filter((seq) => !holes.has(seq)));
    }),
  );
});

test('shows of a range exactly the seqs that a span covers', () => {
  always(
    fc.property(fc.integer({ min: 1, max: most }), fc.nat(most), spans, (fromSeq, length, some) => {
      const range = { fromSeq, toSeq: fromSeq + length };
      const visible = seqsIn([range]).filter((seq) => some.some((span) => covers(span, seq)));
      expect(seqsIn(withinSpans(range, some))).toEqual(visible);
    }),
  );
});

test('reads the spans that it wrote', () => {
  always(
    fc.property(spans, (some) => {
      expect(decodeSpans(encodeSpans(some))).toEqual(some);
    }),
  );
});
