import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isBelow } from '../../../../shared/model/stream-ids.ts';
import { always } from '../../../support/properties.ts';

const part = fc.oneof(fc.bigInt({ min: 0n, max: 20n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
const parts = fc.tuple(part, part);

test('orders stream ids as their numbers are ordered, however large they are', () => {
  always(
    fc.property(parts, parts, ([ms, seq], [otherMs, otherSeq]) => {
      const expected = ms < otherMs || (ms === otherMs && seq < otherSeq);
      expect(isBelow(`${ms}-${seq}`, `${otherMs}-${otherSeq}`)).toBe(expected);
    }),
  );
});
