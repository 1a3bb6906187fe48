import { expect, test } from 'vitest';
import { seqsOf, without, withinSpans } from '../../../../shared/model/seq-ranges.ts';
import { covers, decodeSpans } from '../../../../shared/model/spans.ts';

type Pair = [number, number];
const ranges = (pairs: Pair[]) => pairs.map(([fromSeq, toSeq]) => ({ fromSeq, toSeq }));

test.each<[Pair, string, Pair[]]>([
  [[1, 10], '0-', [[1, 10]]],
  [
    [1, 10],
    '2-5,8-',
    [
      [3, 5],
      [9, 10],
    ],
  ],
  [
    [4, 9],
    '2-5,8-',
    [
      [4, 5],
      [9, 9],
    ],
  ],
  [[6, 8], '2-5,8-', []],
  [[1, 10], '', []],
  [[1, 10], '3-3', []],
  [[5, 4], '0-', []],
])('%j within %s', ([fromSeq, toSeq], spans, expected) => {
  expect(withinSpans({ fromSeq, toSeq }, decodeSpans(spans))).toEqual(ranges(expected));
});

test.each<[Pair[], Pair[], Pair[]]>([
  [[[1, 10]], [], [[1, 10]]],
  [[[1, 10]], [[1, 10]], []],
  [[[1, 10]], [[0, 20]], []],
  [
    [[1, 10]],
    [[4, 6]],
    [
      [1, 3],
      [7, 10],
    ],
  ],
  [
    [[1, 10]],
    [
      [1, 1],
      [10, 10],
    ],
    [[2, 9]],
  ],
  [
    [
      [1, 5],
      [8, 12],
    ],
    [[4, 9]],
    [
      [1, 3],
      [10, 12],
    ],
  ],
  [[[1, 3]], [[5, 9]], [[1, 3]]],
  [[[5, 4]], [], []],
])('%j without %j', (one, removed, expected) => {
  expect(without(ranges(one), ranges(removed))).toEqual(ranges(expected));
});

test('give the same as counting seq by seq', () => {
  let seed = 7;
  const random = (most: number): number => (seed = (seed * 48_271) % 2_147_483_647) % most;
  const rising = (): Pair[] => {
    const found: Pair[] = [];
    for (let at = random(4); at < 30;) {
      const to = at + random(5);
      found.push([at, to]);
      at = to + 1 + random(6);
    }
    return found;
  };
  for (let round = 0; round < 500; round++) {
    const [kept, removed] = [ranges(rising()), ranges(rising())];
    const seqs = (list: typeof kept): number[] => list.flatMap((range) => [...seqsOf(range, true)]);
    const gone = new Set(seqs(removed));
    expect(seqs(without(kept, removed))).toEqual(seqs(kept).filter((seq) => !gone.has(seq)));
    const spans = rising().map(([joined, left]) => ({ joined, left }));
    const asked = { fromSeq: random(10), toSeq: random(40) };
    expect(seqs(withinSpans(asked, spans))).toEqual(
      [...seqsOf(asked, true)].filter((seq) => spans.some((span) => covers(span, seq))),
    );
  }
});

test('lists seqs in both directions', () => {
  expect([...seqsOf({ fromSeq: 3, toSeq: 5 }, true)]).toEqual([3, 4, 5]);
  expect([...seqsOf({ fromSeq: 3, toSeq: 5 }, false)]).toEqual([5, 4, 3]);
  expect([...seqsOf({ fromSeq: 5, toSeq: 3 }, true), ...seqsOf({ fromSeq: 5, toSeq: 3 }, false)]).toEqual([]);
});
