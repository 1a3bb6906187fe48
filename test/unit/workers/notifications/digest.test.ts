import { expect, test } from 'vitest';
import type { UserState } from '../../../../shared/redis/inboxes/inboxes.ts';
import type { ConversationState } from '../../../../shared/redis/inboxes/user-fields.ts';
import { buildDigest } from '../../../../workers/notifications/digest.ts';

const state = (conversation: string, lastSeq: number): ConversationState => ({
  conversation,
  lastSeq,
  readSeq: 0,
  joined: 0,
  at: lastSeq,
  position: 0,
  member: true,
  quiet: [],
});

const inboxes = (larges: string[], ...conversations: ConversationState[]) => ({
  user: async (): Promise<UserState> => ({ epoch: 'e', head: 9, routes: [], larges, conversations }),
  textsAt: async (_: string, positions: number[]) => positions.map(() => null),
});

test('a digest counts unread messages, and leaves out large groups', async () => {
  expect(await buildDigest(inboxes([], state('a', 2), state('square', 7)), 'bob')).toMatchObject({
    total: 9,
    conversations: [{ conversation: 'square' }, { conversation: 'a' }],
  });
  expect(await buildDigest(inboxes(['square'], state('a', 2), state('square', 7)), 'bob')).toMatchObject({
    total: 2,
    conversations: [{ conversation: 'a', unread: 2 }],
  });
  expect(await buildDigest(inboxes(['square'], state('square', 7)), 'bob')).toBe(null);
});
