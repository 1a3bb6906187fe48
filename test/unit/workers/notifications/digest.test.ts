import { expect, test } from 'vitest';
import { entryOf, messageTail, messageText } from '../../../../shared/model/message-text.ts';
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

const unseen = (): void => undefined;

const inboxes = (larges: string[], ...conversations: ConversationState[]) => ({
  user: async (): Promise<UserState> => ({ epoch: 'e', head: 9, routes: [], larges, conversations }),
  textsAt: async (_: string, positions: number[]) => positions.map(() => null),
});

test('a digest counts unread messages, and leaves out large groups', async () => {
  expect(await buildDigest(inboxes([], state('a', 2), state('square', 7)), 'bob', unseen)).toMatchObject({
    total: 9,
    conversations: [{ conversation: 'square' }, { conversation: 'a' }],
  });
  expect(await buildDigest(inboxes(['square'], state('a', 2), state('square', 7)), 'bob', unseen)).toMatchObject({
    total: 2,
    conversations: [{ conversation: 'a', unread: 2 }],
  });
  expect(await buildDigest(inboxes(['square'], state('square', 7)), 'bob', unseen)).toBe(null);
});

test('the messages that a digest shows are evidence', async () => {
  const textOf = (seq: number): string =>
    messageText(3, { streamId: `17-${seq}`, conversation: 'a', seq, at: 17, tail });
  const tail = messageTail('alice', 'c', 'text', '"hi"', 'normal');
  const held = { ...inboxes([], { ...state('a', 2), position: 5 }, state('b', 1)) };
  const seen: string[] = [];
  await buildDigest(
    { ...held, textsAt: async (_, positions) => positions.map((position) => (position === 5 ? textOf(2) : null)) },
    'bob',
    (id) => seen.push(id),
  );
  expect(seen).toEqual(['3-17-2']);
  expect(entryOf(seen[0]!)).toEqual({ partition: 3, streamId: '17-2' });
});
