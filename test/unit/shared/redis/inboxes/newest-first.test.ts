import { expect, test } from 'vitest';
import { newestFirst } from '../../../../../shared/redis/inboxes/unread.ts';
import type { ConversationState } from '../../../../../shared/redis/inboxes/user-fields.ts';

const hourMs = 3_600_000;
const now = 1_700_000_000_000;
const state = (conversation: string, at: number, position: number): ConversationState => ({
  conversation,
  at,
  position,
  lastSeq: 1,
  readSeq: 0,
  joined: 0,
  member: true,
  quiet: [],
});
const order = (...states: ConversationState[]) =>
  newestFirst(states)
    .map(({ conversation }) => conversation)
    .join(' ');

test('by time, and by id where that is equal; without a place in the inbox as well', () => {
  expect(order(state('a', now - 9, 1), state('b', now, 3), state('c', now - 5, 2))).toBe('b c a');
  expect(order(state('b', now, 0), state('a', now, 0), state('c', now + 1, 0), state('lost', 0, 0))).toBe('c a b lost');
  expect(order(state('created', now - 5, 0), state('new', now, 7), state('old', now - 9, 3))).toBe('new created old');
});

test('does not keep messages in front that were accepted while the clock was ahead', () => {
  expect(
    order(
      state('ahead', now + 72 * hourMs, 5),
      state('newer', now, 6),
      state('newest', now + 10, 7),
      state('old', now - hourMs, 2),
    ),
  ).toBe('newest newer ahead old');
  // Nor does what is new fall behind after the clock was set back.
  expect(order(state('before', now, 5), state('after', now - hourMs, 6))).toBe('after before');
});

test('returns times that fall strictly, so that a page begins where the last one ended', () => {
  const sorted = newestFirst([state('a', now, 1), state('b', now, 2), state('c', now + hourMs, 3), state('d', now, 4)]);
  expect(sorted.map(({ conversation }) => conversation)).toEqual(['d', 'c', 'b', 'a']);
  expect(sorted.map(({ at }) => at)).toEqual([now, now - 1, now - 2, now - 3]);
});
