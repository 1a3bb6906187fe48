import { expect, test } from 'vitest';
import { newestCounting, unreadOf } from '../../../../../shared/redis/inboxes/unread.ts';

const state = { lastSeq: 1000, readSeq: 10, joined: 0, quiet: [] };
const ranges = (...pairs: [number, number][]) => pairs.map(([fromSeq, toSeq]) => ({ fromSeq, toSeq }));

test.each([
  ['everything above the read seq counts', {}, 990],
  ['nothing at or below it', { readSeq: 1000 }, 0],
  ['a read seq above the last one counts as nothing', { readSeq: 1200 }, 0],
  ['what lies before joining does not count', { readSeq: 0, joined: 900 }, 100],
  ['a quiet range does not count', { quiet: ranges([500, 599]) }, 890],
  ['of a range that was begun, the rest', { quiet: ranges([1, 20]) }, 980],
  ['of a range that reaches further, what lies within', { quiet: ranges([991, 5000]) }, 980],
  ['ranges below or above change nothing', { quiet: ranges([1, 10], [1001, 1001]) }, 990],
  ['the same range twice is taken once', { quiet: ranges([500, 599], [500, 599]) }, 890],
  ['overlapping ranges in any order are one', { quiet: ranges([550, 620], [500, 599], [505, 510]) }, 869],
  ['ranges that meet', { quiet: ranges([11, 500], [501, 1000]) }, 0],
])('%s', (_, change, unread) => {
  expect(unreadOf({ ...state, ...change })).toBe(unread);
});

test.each([
  ['nothing is quiet', [], 9],
  ['what is quiet below changes nothing', ranges([1, 8]), 9],
  ['the newest is quiet', ranges([9, 9]), 8],
  ['several ranges meet, in any order', ranges([5, 5], [9, 9], [6, 8]), 4],
  ['a range reaches further', ranges([8, 20]), 7],
  ['all is quiet', ranges([1, 9]), 0],
])('the newest that counts: %s', (_, quiet, seq) => {
  expect(newestCounting(9, quiet)).toBe(seq);
});
