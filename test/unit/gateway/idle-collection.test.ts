import { expect, test } from 'vitest';
import { idleCollectionLimits, isWorthCollecting } from '../../../gateway/idle-collection.ts';

const { quietShare, grownBytes, mostBytes } = idleCollectionLimits;
const leastBytes = 50_000_000;
const grown = { totalBytes: leastBytes + grownBytes, usedBytes: leastBytes };

test('a quiet process whose heap has grown is collected', () => {
  expect(isWorthCollecting(0, grown, leastBytes)).toBe(true);
  expect(isWorthCollecting(quietShare, grown, leastBytes)).toBe(true);
});

test('one that is at work is not: it collects by itself', () => {
  expect(isWorthCollecting(quietShare + 0.01, grown, leastBytes)).toBe(false);
});

test('one whose heap is as small as it was is not', () => {
  expect(isWorthCollecting(0, { ...grown, totalBytes: grown.totalBytes - 1 }, leastBytes)).toBe(false);
});

test('one whose heap is so large that a collection would stop it for long is not', () => {
  const large = { totalBytes: 2 * mostBytes, usedBytes: mostBytes };
  expect(isWorthCollecting(0, large, leastBytes)).toBe(true);
  expect(isWorthCollecting(0, { ...large, usedBytes: mostBytes + 1 }, leastBytes)).toBe(false);
});
