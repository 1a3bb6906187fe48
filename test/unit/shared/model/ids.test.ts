import { expect, test } from 'vitest';
import { directConversation, isDirect, sortedPair } from '../../../../shared/model/ids.ts';

const ids = ['alice', '-', '_', '0', 'constructor', '__proto__', 'a'.repeat(64)];

test('gives a direct conversation the same id from both sides', () => {
  expect(directConversation('alice', 'bob')).toBe(directConversation('bob', 'alice'));
  expect(sortedPair('b', 'a')).toEqual(['a', 'b']);
  expect([isDirect(directConversation('alice', 'bob')), isDirect('group')]).toEqual([true, false]);
});

test('makes an id that is allowed as an id', () => {
  expect(directConversation('alice', 'bob')).toMatch(/^d_[A-Za-z0-9_-]{43}$/);
});

test('gives different pairs different ids', () => {
  const all = ids.flatMap((one) => ids.map((other) => directConversation(one, other)));
  expect(new Set(all).size).toBe((ids.length * (ids.length + 1)) / 2);
  // The border between the two ids counts.
  expect(directConversation('a', 'bc')).not.toBe(directConversation('ab', 'c'));
});
