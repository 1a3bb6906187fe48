import { describe, expect, test } from 'vitest';
import { newestOf, recentLimits, worthKeeping } from '../../../../../shared/redis/conversations/recent.ts';

const run = (firstSeq: number, lastSeq: number, length = 10) => ({
  conversation: 'c',
  firstSeq,
  texts: Array.from({ length: lastSeq - firstSeq + 1 }, (_, i) => `${firstSeq + i}`.padEnd(length, 'x')),
});
const range = (part: { firstSeq: number; texts: string[] } | null) =>
  part && [part.firstSeq, part.firstSeq + part.texts.length - 1];
const kept = (low: number, high: number, bytes = (high - low + 1) * 10) => ({ low, high, bytes });

test('takes the newest texts if there are too many, by number and by bytes', () => {
  expect(range(newestOf(run(1, 50), { messages: 20, bytes: 1000 }))).toEqual([31, 50]);
  expect(range(newestOf(run(1, 50), { messages: 20, bytes: 55 }))).toEqual([46, 50]);
  expect(newestOf(run(1, 3, 60), { messages: 20, bytes: 59 }).texts).toEqual([]);
  expect(
    newestOf({ conversation: 'c', firstSeq: 1, texts: ['ü'.repeat(30)] }, { messages: 1, bytes: 59 }).texts,
  ).toEqual([]);
});

describe('what a read of the store is worth', () => {
  test.each([
    ['all of it where nothing is kept', run(5, 30), null, [5, 30]],
    ['all of it where it is newer', run(5, 30), kept(10, 29), [5, 30]],
    ['what lies below', run(5, 30), kept(10, 30), [5, 9]],
    ['what touches it from below', run(5, 9), kept(10, 30), [5, 9]],
    ['nothing that is kept', run(15, 20), kept(10, 30), null],
    ['nothing below a hole', run(1, 8), kept(10, 30), null],
    ['what there is room for', run(1, 50), kept(21, 50 + recentLimits.messages - 35), [16, 20]],
    ['nothing where it is full', run(1, 20), kept(21, 20 + recentLimits.messages), null],
    ['nothing where its bytes are used up', run(1, 20), kept(21, 30, recentLimits.bytes - 5), null],
    ['nothing where the newest alone is too long', run(1, 1, recentLimits.bytes + 1), null, null],
  ])('%s', (_, of, with_, expected) => {
    expect(range(worthKeeping(of, with_))).toEqual(expected);
  });
});
