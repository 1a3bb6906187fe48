import { expect, test } from 'vitest';
import { createPaces } from '../../../../gateway/receipts/paces.ts';
import { PendingNotes } from '../../../../gateway/receipts/pending-notes.ts';

const by = (user: string, seq: number) => ({ user, seq });

test('joins what is new of a user in a conversation: the highest seqs, and the newest senders', () => {
  const pending = new PendingNotes();
  pending.add('bob', 'c', { received: 5, senders: [by('alice', 4), by('carol', 5)] }, 10, 100);
  pending.add('bob', 'c', { received: 3, read: 4, senders: [by('alice', 3)] }, 99, 100);
  pending.add('bob', 'c', { read: 2, sent: 2 }, 5, 100);
  expect(pending.size).toBe(1);
  expect(pending.take(9)).toEqual([]);
  expect(pending.take(10)).toEqual([
    { user: 'bob', conversation: 'c', received: 5, read: 4, sent: 2, senders: [by('alice', 4), by('carol', 5)] },
  ]);
  expect([pending.size, pending.take(Infinity)]).toEqual([0, []]);
});

test('keeps the notes of one conversation together, and only the newest 20 senders', () => {
  const pending = new PendingNotes();
  for (const [user, conversation] of [
    ['a', 'x'],
    ['b', 'y'],
    ['c', 'x'],
  ] as const)
    pending.add(user, conversation, { read: 1 }, 0, 100);
  for (let i = 0; i < 30; i++) pending.add('a', 'x', { senders: [by(`s${i}`, i)] }, 0, 100);
  const notes = pending.take(0);
  expect(notes.map(({ user, conversation }) => `${conversation}${user}`)).toEqual(['xa', 'xc', 'yb']);
  expect(notes[0]!.senders).toEqual(Array.from({ length: 20 }, (_, i) => by(`s${29 - i}`, 29 - i)));
});

test('refuses another note beyond its bound, and takes more of those that wait', () => {
  const pending = new PendingNotes();
  expect(pending.add('a', 'x', { read: 1 }, 0, 1)).toBe(true);
  expect(pending.add('b', 'x', { read: 1 }, 0, 1)).toBe(false);
  expect(pending.add('a', 'x', { read: 2 }, 0, 1)).toBe(true);
  expect(pending.take(0)).toMatchObject([{ user: 'a', read: 2 }]);
});

test('a pace says when something may be done next, and forgets what was done long ago', () => {
  const paces = createPaces(1000);
  expect(paces.nextOf('a', 50)).toBe(50);
  paces.took('a', 50);
  paces.took('b', 400);
  expect([paces.nextOf('a', 60), paces.nextOf('b', 60), paces.nextOf('a', 2000)]).toEqual([1050, 1400, 2000]);
  paces.took('c', 1100);
  expect(paces.size).toBe(2);
});
