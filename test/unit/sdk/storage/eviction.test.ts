import { expect, test } from 'vitest';
import { nextEviction, nextOfIndex, quarter, type Share } from '../../../../sdk/src/storage/eviction.ts';

/** Which messages leave a storage that has too many. */

const share = (id: string, toSeq: number, more: Partial<Share> = {}): Share => ({
  id,
  present: toSeq === 0 ? [] : [{ fromSeq: 1, toSeq }],
  indexed: [],
  bytes: 100 * toSeq,
  dear: false,
  ...more,
});
const of = (...shares: Share[]): Map<string, Share> => new Map(shares.map((one) => [one.id, one]));
const limits = { perConversation: 100, total: 250, bytes: 1_000_000, index: 300 };

test('nothing leaves within the limits', () => {
  expect(nextEviction(of(share('a', 100), share('b', 100)), limits)).toBeNull();
  expect(nextEviction(of(), limits)).toBeNull();
});

test('the oldest leave of the conversation that is furthest above its share', () => {
  const found = nextEviction(of(share('a', 130), share('b', 150)), limits);
  expect(found).toEqual({ conversation: 'b', fromSeq: 1, toSeq: 50 });
});

test('an open or unread conversation has twice its share', () => {
  expect(nextEviction(of(share('a', 190, { dear: true }), share('b', 50)), limits)).toBeNull();
  expect(nextEviction(of(share('a', 201, { dear: true })), limits)).toMatchObject({ conversation: 'a', toSeq: 1 });
});

test('above the total the largest gives, and one that is dear only if it is twice as large', () => {
  const found = nextEviction(of(share('a', 90), share('b', 95), share('c', 80)), limits);
  expect(found).toEqual({ conversation: 'b', fromSeq: 1, toSeq: 15 });
  const dear = share('d', 180, { dear: true });
  expect(nextEviction(of(share('a', 95), dear), limits)).toMatchObject({ conversation: 'a' });
  expect(nextEviction(of(share('a', 80), dear), limits)).toMatchObject({ conversation: 'd' });
});

test('above the bytes the heaviest gives, in proportion', () => {
  const found = nextEviction(of(share('a', 90), share('b', 50, { bytes: 100_000 })), { ...limits, bytes: 99_000 });
  expect(found).toEqual({ conversation: 'b', fromSeq: 1, toSeq: 5 });
});

test('while the network is bad nothing leaves below 90 % of the bytes', () => {
  const many = of(share('a', 150), share('b', 150));
  expect(nextEviction(many, limits, true)).toBeNull();
  expect(nextEviction(many, { ...limits, bytes: 33_000 }, true)).toMatchObject({ conversation: 'a' });
});

test('at most 200 leave at once, and never over a hole', () => {
  expect(nextEviction(of(share('a', 5000)), limits)).toMatchObject({ fromSeq: 1, toSeq: 200 });
  const present = [
    { fromSeq: 1, toSeq: 3 },
    { fromSeq: 1000, toSeq: 1200 },
  ];
  expect(nextEviction(of(share('a', 0, { present })), limits)).toMatchObject({ fromSeq: 1, toSeq: 3 });
});

test('a quarter leaves in slices, from the largest down', () => {
  const leaving = quarter(of(share('a', 1000), share('b', 600), share('c', 0)));
  expect(leaving).toEqual([
    { conversation: 'a', fromSeq: 1, toSeq: 200 },
    { conversation: 'a', fromSeq: 201, toSeq: 400 },
  ]);
  expect(quarter(of())).toEqual([]);
});

test('of the index the oldest lines leave, of the conversation that has the most', () => {
  const indexed = [{ fromSeq: 11, toSeq: 260 }];
  const all = of(share('a', 0, { indexed }), share('b', 0, { indexed: [{ fromSeq: 1, toSeq: 100 }] }));
  expect(nextOfIndex(all, limits)).toEqual({ conversation: 'a', fromSeq: 11, toSeq: 60 });
  expect(nextOfIndex(all, { ...limits, index: 350 })).toBeNull();
});
