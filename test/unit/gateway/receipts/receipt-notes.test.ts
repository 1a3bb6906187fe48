import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createReceiptNotes } from '../../../../gateway/receipts/receipt-notes.ts';
import { createMetrics } from '../../../../shared/process/metrics.ts';
import type { Noted, ReceiptNote } from '../../../../shared/redis/conversations/receipts.ts';
import { createKeys } from '../../../../shared/redis/keys.ts';

/** How notes are joined and paced. Time is the test's. */

let calls: ReceiptNote[][];
let told: string[];
let outcome: (note: ReceiptNote) => Noted;
let served: boolean;
let partaking: (user: string) => boolean | Promise<boolean>;
let notes: ReturnType<typeof createReceiptNotes>;

beforeEach(() => {
  vi.useFakeTimers();
  calls = [];
  told = [];
  served = true;
  partaking = () => true;
  outcome = ({ read }) => ({ received: null, read: { seq: read, tell: ['alice'] } });
  const silent = () => undefined;
  notes = createReceiptNotes({
    note: async (_partition, all) => {
      calls.push([...all]);
      return all.map(outcome);
    },
    keys: createKeys('t', 1, 1),
    isServed: () => served,
    takesPart: (user) => partaking(user),
    sendersOf: (user) => (user === 'bob' ? [{ user: 'carol', seq: 2 }] : []),
    tell: (users, text) => void told.push(`${users.join()} ${text}`),
    metrics: createMetrics('web'),
    log: { debug: silent, info: silent, warn: silent, error: silent },
    faults: {
      note(_where, thrown) {
        throw thrown;
      },
    },
    now: () => Date.now(),
  });
});
afterEach(() => void vi.useRealTimers());

const reads = () => calls.flat().map(({ read }) => read);

test('the first note leaves at once, those of the next second leave together', async () => {
  notes.read('bob', 'c', 1);
  await vi.advanceTimersByTimeAsync(60);
  for (let seq = 2; seq <= 9; seq++) {
    notes.read('bob', 'c', seq);
    await vi.advanceTimersByTimeAsync(50);
  }
  expect(reads()).toEqual([1]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(reads()).toEqual([1, 9]);
  expect(told).toEqual([
    'alice {"type":"receipt","conversation":"c","user":"bob","kind":"read","seq":1}',
    'alice {"type":"receipt","conversation":"c","user":"bob","kind":"read","seq":9}',
  ]);
});

test('notes of all users and conversations share a call', async () => {
  for (const user of ['bob', 'carol']) for (const conversation of ['c', 'd']) notes.read(user, conversation, 1);
  notes.sent('alice', 'c', 3);
  await vi.advanceTimersByTimeAsync(60);
  expect(calls).toHaveLength(1);
  expect(calls[0]!.map(({ conversation, user }) => `${conversation} ${user}`)).toEqual([
    'c bob',
    'c carol',
    'c alice',
    'd bob',
    'd carol',
  ]);
});

test('whoever answers has read what its devices were handed, and says of whom', async () => {
  notes.sent('bob', 'c', 3);
  notes.read('carol', 'c', 3);
  await vi.advanceTimersByTimeAsync(60);
  expect(calls[0]!.map(({ user, senders }) => [user, senders])).toEqual([
    ['bob', [{ user: 'carol', seq: 2 }]],
    ['carol', []],
  ]);
});

test('a conversation without receipts is asked at most once in two seconds, and nothing of it is lost', async () => {
  outcome = () => 'none';
  notes.read('bob', 'c', 1);
  await vi.advanceTimersByTimeAsync(60);
  for (const user of ['bob', 'carol', 'dora']) notes.read(user, 'c', 2);
  await vi.advanceTimersByTimeAsync(1800);
  expect(calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(300);
  expect(calls[1]!.map(({ user }) => user)).toEqual(['bob', 'carol', 'dora']);
});

test('what could not be written is tried again, joined with what came meanwhile', async () => {
  let failing = true;
  outcome = ({ read }) => {
    if (failing) throw new Error('Redis is away');
    return { received: null, read: { seq: read, tell: [] } };
  };
  notes.received('bob', 'c', 4, [{ user: 'alice', seq: 4 }]);
  await vi.advanceTimersByTimeAsync(60);
  failing = false;
  notes.received('bob', 'c', 6, [{ user: 'eve', seq: 6 }]);
  await vi.advanceTimersByTimeAsync(2000);
  expect(calls.at(-1)).toEqual([
    {
      user: 'bob',
      conversation: 'c',
      received: 6,
      read: 0,
      sent: 0,
      senders: [
        { user: 'eve', seq: 6 },
        { user: 'alice', seq: 4 },
      ],
    },
  ]);
  expect(calls).toHaveLength(2);
});

test('nothing is noted of users who take no part, nor while receipts are not served', async () => {
  partaking = async (user) => user !== 'bob';
  notes.read('bob', 'c', 1);
  notes.read('carol', 'c', 1);
  served = false;
  notes.read('dora', 'c', 1);
  await vi.advanceTimersByTimeAsync(2000);
  expect(calls.flat().map(({ user }) => user)).toEqual(['carol']);
});

test('a flush writes everything that waits', async () => {
  notes.read('bob', 'c', 1);
  await vi.advanceTimersByTimeAsync(60);
  notes.read('bob', 'c', 2);
  await notes.flush();
  expect(reads()).toEqual([1, 2]);
});
