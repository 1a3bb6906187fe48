import { expect, test } from 'vitest';
import { kindOf, wouldBe } from '../../../cli/key-use.ts';
import { createKeys } from '../../../shared/redis/keys.ts';

test('every key has the kind that its name says', () => {
  const keys = createKeys('rst', 4, 64);
  expect(kindOf(keys.inbox('bob'))).toBe('inbox');
  expect(kindOf(keys.user('inbox'))).toBe('user');
  expect(kindOf(keys.messages(3))).toBe('messages');
  expect(kindOf(keys.conversation(3, 'devices'))).toBe('conversation');
  expect(kindOf(`${keys.queuePrefix('delivery')}:delivery:d.bob.phone`)).toBe('delivery');
  expect(kindOf(keys.deployment)).toBe('other');
  expect(kindOf('rst:push:x')).toBe('other');
});

test('what if: users multiply what is kept for each, messages and days what lies in inboxes', () => {
  const uses = [
    { kind: 'inbox' as const, keys: 10, bytesEach: 100, bytes: 1000 },
    { kind: 'user' as const, keys: 10, bytesEach: 10, bytes: 100 },
    { kind: 'messages' as const, keys: 4, bytesEach: 5, bytes: 20 },
    { kind: 'other' as const, keys: 1, bytesEach: 7, bytes: 7 },
  ];
  expect(wouldBe(uses, { users: 1, messages: 1, retention: 1 })).toBe(1127);
  expect(wouldBe(uses, { users: 10, messages: 1, retention: 1 })).toBe(10_000 + 1000 + 200 + 7);
  expect(wouldBe(uses, { users: 1, messages: 3, retention: 2 })).toBe(6000 + 100 + 60 + 7);
});
