import { expect, test } from 'vitest';
import { directConversation } from '../../../../sdk/src/direct-conversation.ts';
import { createClientIds } from '../../../../sdk/src/outbox/client-ids.ts';
import { directConversation as serverDirectConversation } from '../../../../shared/model/ids.ts';

test('ids are UUIDv7 of the given time', () => {
  const next = createClientIds(() => 1_700_000_000_000);
  expect(next()).toMatch(/^018bcfe5-6800-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('ids rise within a millisecond, and when the clock goes back', () => {
  let now = 1_700_000_000_000;
  const next = createClientIds(() => now);
  const ids = Array.from({ length: 10_000 }, (_, index) => {
    if (index === 5000) now -= 3_600_000;
    return next();
  });
  expect(ids.toSorted()).toEqual(ids);
  expect(new Set(ids).size).toBe(10_000);
});

test('the id of a direct conversation is that of the server', () => {
  const names = ['alice', 'bob', 'a'.repeat(64), 'Zoe_9', 'x-1', '0'];
  for (const one of names) {
    for (const other of names) expect(directConversation(one, other)).toBe(serverDirectConversation(one, other));
  }
});
