import { expect, test } from 'vitest';
import { createKeys } from '../../../../shared/redis/keys.ts';
import { storedPublishes } from '../../../../workers/archive/notices.ts';
import { messageEntries } from '../../../support/archive.ts';

const keys = createKeys('t', 4, 4);
const awaited = (from: number, to: number, by: (seq: number) => string) =>
  messageEntries(from, to).map((entry) => ({ ...entry, awaitedBy: by(entry.seq) }));

test('nothing is published if nobody waits', () => {
  expect(storedPublishes(keys, 3, messageEntries(1, 5), new Map([['c', 0]]))).toEqual([]);
});

test('each gateway is told of its messages in one payload', () => {
  const entries = awaited(1, 5, (seq) => (seq === 3 ? '' : seq % 2 === 0 ? 'g2' : 'g1'));
  expect(storedPublishes(keys, 3, entries, new Map([['c', 0]]))).toEqual([
    { channel: 't:push:g1', payload: 'S\n3 1001-0 1005-0' },
    { channel: 't:push:g2', payload: 'S\n3 1002-0 1004-0' },
  ]);
});

test('what was at or below the end before stands in no block of this batch', () => {
  expect(
    storedPublishes(
      keys,
      0,
      awaited(1, 3, () => 'g'),
      new Map([['c', 2]]),
    ),
  ).toEqual([{ channel: 't:push:g', payload: 'S\n0 1003-0' }]);
});
