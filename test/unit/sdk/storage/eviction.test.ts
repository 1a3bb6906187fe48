import { expect, test } from 'vitest';
import { nextEviction, withoutEvicted } from '../../../../sdk/src/storage/eviction.ts';
import { newRow } from '../../../../sdk/src/storage/row.ts';
import type { ConversationRow } from '../../../../sdk/src/storage/storage.ts';

/** Which messages leave a storage that has too many. */

const row = (id: string, toSeq: number, more: Partial<ConversationRow> = {}): ConversationRow => ({
  ...newRow(id, 'e1'),
  present: [{ fromSeq: 1, toSeq }],
  lastSeq: toSeq,
  ...more,
});
const limits = { perConversation: 100, total: 250 };
const nobody = (): boolean => false;

test('nothing leaves within the limits', () => {
  expect(nextEviction([row('a', 100), row('b', 100)], limits, nobody)).toBeNull();
});

test('the oldest leave of the conversation that is furthest above its share', () => {
  const found = nextEviction([row('a', 130), row('b', 150)], limits, nobody)!;
  expect([found.row.id, found.range]).toEqual(['b', { fromSeq: 1, toSeq: 50 }]);
  expect(withoutEvicted(found.row, found).present).toEqual([{ fromSeq: 51, toSeq: 150 }]);
});

test('an open or unread conversation has twice its share', () => {
  const rows = [row('a', 190), row('b', 50, { unread: 1 })];
  expect(nextEviction(rows, limits, (id) => id === 'a')).toBeNull();
  expect(nextEviction([row('c', 190, { unread: 1 })], limits, nobody)).toBeNull();
});

test('above the total the largest gives', () => {
  const found = nextEviction([row('a', 90), row('b', 95), row('c', 80)], limits, nobody)!;
  expect([found.row.id, found.range]).toEqual(['b', { fromSeq: 1, toSeq: 15 }]);
});

test('at most 200 leave at once, and never over a hole', () => {
  expect(nextEviction([row('a', 5000)], limits, nobody)!.range).toEqual({ fromSeq: 1, toSeq: 200 });
  const present = [
    { fromSeq: 1, toSeq: 3 },
    { fromSeq: 1000, toSeq: 1200 },
  ];
  expect(nextEviction([row('a', 1200, { present })], limits, nobody)!.range).toEqual({ fromSeq: 1, toSeq: 3 });
});
