import { expect, test } from 'vitest';
import { runsOf } from '../../../../workers/compaction/merging.ts';

const ranges = (text: string) =>
  text.split(' ').map((range) => {
    const [firstSeq, lastSeq] = range.split('-').map(Number) as [number, number];
    return { conversation: 'c', firstSeq, lastSeq };
  });
const runs = (text: string): string[] =>
  runsOf(ranges(text)).map((run) => run.map(({ firstSeq, lastSeq }) => `${firstSeq}-${lastSeq}`).join(' '));
const singles = (from: number, count: number): string =>
  Array.from({ length: count }, (_, i) => `${from + i}-${from + i}`).join(' ');

test('eight small neighbours are worth merging, fewer are not', () => {
  expect(runs(singles(1, 7))).toEqual([]);
  expect(runs(singles(1, 8))).toEqual([singles(1, 8)]);
});

test('a run ends at a hole, at a full block, and where a block may hold no more', () => {
  expect(runs(`${singles(1, 8)} ${singles(10, 8)}`)).toEqual([singles(1, 8), singles(10, 8)]);
  expect(runs(`${singles(1, 8)} 9-500 ${singles(501, 8)}`)).toEqual([singles(1, 8), singles(501, 8)]);
  const hundreds = Array.from({ length: 12 }, (_, i) => `${i * 100 + 1}-${(i + 1) * 100}`).join(' ');
  expect(runs(hundreds)).toEqual([Array.from({ length: 10 }, (_, i) => `${i * 100 + 1}-${(i + 1) * 100}`).join(' ')]);
});

test('a block that another one covers was left by a stopped merge, and goes with it', () => {
  expect(runs('1-20 3-4 5-5 21-21')).toEqual(['1-20 3-4 5-5 21-21']);
  expect(runs('1-900 3-4')).toEqual(['1-900 3-4']);
});
