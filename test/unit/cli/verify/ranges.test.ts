import { expect, test } from 'vitest';
import { addRange, type Ranges, uncovered, without } from '../../../../cli/verify/ranges.ts';

const made = (...pairs: [number, number][]): Ranges => {
  const ranges: Ranges = [];
  for (const [from, to] of pairs) addRange(ranges, from, to);
  return ranges;
};
const pairs = (ranges: Ranges): number[][] => ranges.map(({ fromSeq, toSeq }) => [fromSeq, toSeq]);

test('ranges that touch or overlap become one, in whatever order they come', () => {
  expect(pairs(made([1, 2], [3, 4], [9, 9]))).toEqual([
    [1, 4],
    [9, 9],
  ]);
  expect(pairs(made([9, 9], [1, 2], [3, 4]))).toEqual([
    [1, 4],
    [9, 9],
  ]);
  expect(pairs(made([5, 9], [1, 20], [21, 20]))).toEqual([[1, 20]]);
});

test('what no range holds is named, at both ends and between', () => {
  const ranges = made([3, 4], [7, 9]);
  expect(pairs(uncovered(ranges, 1, 12))).toEqual([
    [1, 2],
    [5, 6],
    [10, 12],
  ]);
  expect(uncovered(ranges, 7, 9)).toEqual([]);
  expect(pairs(uncovered(ranges, 8, 10))).toEqual([[10, 10]]);
  expect(uncovered(ranges, 5, 4)).toEqual([]);
  expect(pairs(uncovered([], 1, 2))).toEqual([[1, 2]]);
});

test('of several ranges only what the others do not hold is left', () => {
  expect(pairs(without(made([1, 10], [20, 30]), made([5, 22])))).toEqual([
    [1, 4],
    [23, 30],
  ]);
});

test('agrees with counting one by one', () => {
  for (let seed = 1; seed < 200; seed++) {
    let next = seed;
    const random = (most: number): number => (next = (next * 48_271) % 2_147_483_647) % most;
    const all = Array.from({ length: random(8) }, (): [number, number] => {
      const from = 1 + random(30);
      return [from, from + random(6)];
    });
    const [from, to] = [random(20), 10 + random(30)];
    const expected = [];
    for (let seq = from; seq <= to; seq++)
      if (!all.some(([first, last]) => first <= seq && seq <= last)) expected.push(seq);
    const found = uncovered(made(...all), from, to);
    expect(
      found.flatMap(({ fromSeq, toSeq }) => Array.from({ length: toSeq - fromSeq + 1 }, (_, i) => fromSeq + i)),
    ).toEqual(expected);
  }
});
