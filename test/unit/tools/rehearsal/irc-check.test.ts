import { beforeEach, expect, test } from 'vitest';
import { membershipKind, type Message } from '../../../../shared/model/model.ts';
import type { HistoryWalk } from '../../../../tools/rehearsal/irc/check-history.ts';
import {
  check,
  type Arrival,
  type DeviceRecord,
  type DiscrepancyKind,
  type Evidence,
} from '../../../../tools/rehearsal/irc/check.ts';
import { summary } from '../../../../tools/rehearsal/irc/summary.ts';

/**
 * The check is only worth something if it finds what is wrong: a run in which all is well, and then the same run with
 * one thing changed at a time.
 *
 * w (witness) and a from the start; b sees 3..7: joins with 3, leaves with 7. Messages 1..9.
 */
const message = (seq: number, sender: string, body: unknown, kind = 'text'): Message => ({
  id: `${seq}-0`,
  conversation: 'c',
  seq,
  at: 1000 + seq,
  sender,
  clientId: `k${seq}`,
  kind,
  body,
  class: 'normal',
});
const textAt = (messages: Message[], seq: number): string => JSON.stringify(messages.find((one) => one.seq === seq));

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

function walkOf(user: string, messages: Message[], seen: number[], order: 'oldest' | 'newest'): HistoryWalk {
  const visible = messages.filter(({ seq }) => seen.includes(seq));
  const ordered = order === 'oldest' ? visible : visible.toReversed();
  const [first, second] = [ordered.slice(0, 3), ordered.slice(3)];
  const absent = seen[0] === 1 ? [] : [{ fromSeq: 1, toSeq: seen[0]! - 1 }];
  const bound = first.at(-1)!.seq;
  return {
    user,
    order,
    pages: [
      {
        bound: order === 'oldest' ? 0 : null,
        page: { conversation: 'c', messages: first, more: true, absent: order === 'oldest' ? absent : [] },
      },
      { bound, page: { conversation: 'c', messages: second, more: false, absent: order === 'oldest' ? [] : absent } },
    ],
  };
}

let evidence: Evidence;
let a: DeviceRecord;
let b: DeviceRecord;

beforeEach(() => {
  const messages = [
    message(1, 'a', { text: 'one' }),
    message(2, 'a', { text: 'two' }),
    message(3, 'w', { user: 'b', action: 'joined' }, membershipKind),
    message(4, 'b', { text: 'four' }),
    message(5, 'a', { text: 'five' }),
    message(6, 'w', 'six'),
    message(7, 'b', { user: 'b', action: 'left' }, membershipKind),
    message(8, 'a', { text: 'eight' }),
    message(9, 'a', { text: 'nine' }),
  ];
  const arrivalsOf = (seqs: number[]): Arrival[] =>
    seqs.map((seq, index) => ({ epoch: 'e', position: index + 1, seq, text: textAt(messages, seq) }));
  const record = (user: string, device: string, seqs: number[]): DeviceRecord => ({
    user,
    device,
    arrivals: arrivalsOf(seqs),
    own: new Set(),
    gaps: [],
    asked: [],
    filled: new Map(),
    violations: [],
  });
  a = record('a', 'phone', range(1, 9));
  b = record('b', 'phone', [3, 5, 6, 7]);
  b.own.add(4);
  evidence = {
    sent: messages
      .filter(({ kind }) => kind !== membershipKind)
      .map(({ sender, clientId, kind, body, id, seq }) => ({
        sender,
        clientId,
        kind,
        bodyText: JSON.stringify(body),
        id,
        seq,
      })),
    creators: ['w', 'a'],
    changes: new Map([['b', ['joined', 'left']]]),
    members: [
      { user: 'w', joinedSeq: 0 },
      { user: 'a', joinedSeq: 0 },
    ],
    messages,
    lastSeq: 9,
    devices: [record('w', 'desk', range(1, 9)), a, b],
    walks: (['oldest', 'newest'] as const).flatMap((order) => [
      walkOf('w', messages, range(1, 9), order),
      walkOf('b', messages, range(3, 7), order),
    ]),
  };
});

const kinds = (): DiscrepancyKind[] => check(evidence).map(({ kind }) => kind);
const arrival = (record: DeviceRecord, seq: number): Arrival => record.arrivals.find((one) => one.seq === seq)!;
const page = (walk: number, number: number) => evidence.walks[walk]!.pages[number]!.page;

test('a run in which all is well', () => {
  expect(check(evidence)).toEqual([]);
});

test('the same position pushed again, a gap that is filled, and another epoch are all well', () => {
  a.arrivals.push({ ...arrival(a, 9) }, { ...arrival(a, 2), epoch: 'f', position: 1 });
  b.arrivals = b.arrivals.filter(({ seq }) => seq !== 5 && seq !== 6);
  b.gaps.push({ fromSeq: 5, toSeq: 6 });
  b.filled.set(5, textAt(evidence.messages, 5)).set(6, textAt(evidence.messages, 6));
  expect(check(evidence)).toEqual([]);
});

test('messages without a position are as good as others, also where a conversation changes between the two', () => {
  arrival(a, 4).position = null;
  arrival(a, 5).position = null;
  for (const one of b.arrivals) one.position = null;
  expect(check(evidence)).toEqual([]);
  b.arrivals = b.arrivals.filter(({ seq }) => seq !== 6);
  expect(check(evidence)).toEqual([
    { kind: 'lost', who: 'b/phone', seq: 6, detail: 'neither delivered nor announced' },
  ]);
});

test('one without a position that came twice, or once with one', () => {
  arrival(a, 5).position = null;
  a.arrivals.push({ ...arrival(a, 5) });
  a.arrivals.push({ ...arrival(a, 9), position: null });
  expect(check(evidence)).toEqual([
    { kind: 'duplicated', who: 'a/phone', seq: 5, detail: 'came without a position, and again without a position' },
    { kind: 'duplicated', who: 'a/phone', seq: 9, detail: 'came at position 9, and again without a position' },
  ]);
});

test('one without a position that comes again in another epoch is well', () => {
  arrival(a, 9).position = null;
  a.arrivals.push({ ...arrival(a, 9), epoch: 'f' });
  expect(check(evidence)).toEqual([]);
});

test('two without a position that came in the wrong order, and one that leaked', () => {
  for (const one of a.arrivals) one.position = null;
  a.arrivals.splice(4, 2, a.arrivals[5]!, a.arrivals[4]!);
  expect(check(evidence)).toEqual([{ kind: 'reordered', who: 'a/phone', seq: 5, detail: 'came first after seq 6' }]);
  b.arrivals.push({ ...arrival(a, 8), position: null });
  expect(kinds()).toEqual(['reordered', 'leaked']);
});

test('one that came live and from history, which is well only where the device had asked for it', () => {
  a.gaps.push({ fromSeq: 4, toSeq: 6 });
  a.asked.push({ fromSeq: 4, toSeq: 5 });
  a.filled.set(5, textAt(evidence.messages, 5));
  expect(check(evidence)).toEqual([]);
  a.filled.set(6, textAt(evidence.messages, 6));
  expect(check(evidence)).toEqual([
    { kind: 'duplicated', who: 'a/phone', seq: 6, detail: 'came as an item, and from history without being asked for' },
  ]);
});

test('the summary tells how many came without a position', () => {
  arrival(a, 5).position = null;
  for (const one of b.arrivals) one.position = null;
  const text = summary(evidence, { pulls: 1, kills: null, seconds: 2 });
  expect(text).toMatch(/live without position +5\n/);
  expect(text).toMatch(/messages delivered +22 \(0 came again\)\n/);
  expect(text).toMatch(/devices +3 \(1 pull\)\n/);
  expect(text).toMatch(/processes killed +none\n/);
});

test('one lost on its way to a device', () => {
  a.arrivals = a.arrivals.filter(({ seq }) => seq !== 5);
  expect(check(evidence)).toEqual([
    { kind: 'lost', who: 'a/phone', seq: 5, detail: 'neither delivered nor announced' },
  ]);
});

test('one announced as a gap that history does not give', () => {
  a.arrivals = a.arrivals.filter(({ seq }) => seq !== 5);
  a.gaps.push({ fromSeq: 4, toSeq: 5 });
  expect(check(evidence)).toEqual([
    { kind: 'lost', who: 'a/phone', seq: 5, detail: 'announced as a gap, and history did not give it' },
  ]);
});

test('one filled from history without having been announced is no excuse for the next', () => {
  a.arrivals = a.arrivals.filter(({ seq }) => seq !== 5 && seq !== 6);
  a.gaps.push({ fromSeq: 5, toSeq: 5 });
  a.filled.set(5, textAt(evidence.messages, 5));
  expect(check(evidence)).toMatchObject([{ kind: 'lost', who: 'a/phone', seq: 6 }]);
});

test('one accepted and not in the conversation', () => {
  evidence.sent.push({ sender: 'a', clientId: 'k10', kind: 'text', bodyText: '1', id: '10-0', seq: 10 });
  expect(kinds()).toEqual(['lost']);
});

test('one accepted under a seq that another message has', () => {
  evidence.sent[0]!.id = '1-7';
  expect(kinds()).toEqual(['lost']);
});

test('one at two positions of an inbox', () => {
  a.arrivals.push({ ...arrival(a, 5), position: 10 });
  expect(check(evidence)).toEqual([
    { kind: 'duplicated', who: 'a/phone', seq: 5, detail: 'came at position 5, and again at position 10' },
  ]);
});

test('one send stored twice', () => {
  const again = { ...message(10, 'a', { text: 'nine' }), clientId: 'k9' };
  evidence.messages.push(again);
  evidence.lastSeq = 10;
  expect(kinds()).toContain('duplicated');
});

test('two that came in the wrong order', () => {
  const [fifth, sixth] = [a.arrivals[4]!, a.arrivals[5]!];
  a.arrivals[4] = sixth;
  a.arrivals[5] = fifth;
  expect(check(evidence)).toEqual([{ kind: 'reordered', who: 'a/phone', seq: 5, detail: 'came first after seq 6' }]);
});

test('one position given to two messages', () => {
  arrival(a, 6).position = 5;
  expect(kinds()).toEqual(['differs']);
});

test.each([2, 8])('seq %i that reaches a user outside the membership is reported as leaked', (seq) => {
  const at = seq === 2 ? 0 : b.arrivals.length;
  b.arrivals.splice(at, 0, { epoch: 'e', position: 20, seq, text: textAt(evidence.messages, seq) });
  expect(kinds()).toEqual(['leaked']);
});

test('one leaked by the history that fills a gap', () => {
  b.filled.set(8, textAt(evidence.messages, 8));
  expect(kinds()).toEqual(['leaked']);
});

test('one with another body on its way to a device', () => {
  arrival(a, 5).text = JSON.stringify({ ...message(5, 'a', { text: 'FIVE' }) });
  expect(check(evidence)).toEqual([
    { kind: 'differs', who: 'a/phone', seq: 5, detail: 'differs from the conversation in body' },
  ]);
});

test('one with its fields in another order', () => {
  const { id, ...rest } = message(5, 'a', { text: 'five' });
  arrival(a, 5).text = JSON.stringify({ ...rest, id });
  expect(check(evidence)).toMatchObject([
    { kind: 'differs', seq: 5, detail: 'differs from the conversation in order of fields' },
  ]);
});

test('one stored with another body than was sent', () => {
  evidence.sent[0]!.bodyText = '{"text":"ONE"}';
  expect(kinds()).toEqual(['differs']);
});

test('one that nobody sent', () => {
  evidence.sent.shift();
  expect(kinds()).toEqual(['unknown']);
});

test('a change of membership that nobody made, and one that is missing', () => {
  evidence.changes.set('b', ['joined']);
  expect(kinds()).toEqual(['membership']);
  evidence.changes.set('b', ['joined', 'left', 'joined']);
  expect(kinds()).toEqual(['membership']);
});

test('a joinedSeq of the API that the conversation does not bear out', () => {
  evidence.members[1]!.joinedSeq = 1;
  expect(kinds()).toEqual(['membership']);
});

test.each([0, 1, 2, 3])('one history row missing in walk %i', (walk) => {
  page(walk, 1).messages.splice(1, 1);
  expect(new Set(kinds())).toEqual(new Set(['history']));
});

test('one history row named absent though it may be seen', () => {
  const [gone] = page(0, 1).messages.splice(1, 1);
  page(0, 1).absent.push({ fromSeq: gone!.seq, toSeq: gone!.seq });
  expect(check(evidence)).toMatchObject([
    { kind: 'history', who: 'w', seq: gone!.seq, detail: 'oldest first: missing' },
  ]);
});

test('a history that hides what it leaves out', () => {
  page(1, 0).absent = [];
  expect(new Set(check(evidence).map(({ detail }) => detail))).toEqual(
    new Set(['oldest first: neither shown nor named absent']),
  );
});

test('a history that ends too early', () => {
  evidence.walks[0]!.pages.pop();
  expect(new Set(kinds())).toEqual(new Set(['history']));
});

test('a history out of order, twice, or outside the membership', () => {
  page(0, 0).messages.reverse();
  expect(new Set(kinds())).toEqual(new Set(['history']));
  page(0, 0).messages.reverse();
  page(0, 1).messages.unshift(page(0, 0).messages[2]!);
  expect(kinds()).toContain('history');
  page(0, 1).messages.shift();
  page(1, 1).messages.push(message(8, 'a', { text: 'eight' }));
  expect(check(evidence)).toMatchObject([
    { kind: 'history', who: 'b', seq: 8, detail: 'oldest first: shown outside the membership' },
  ]);
});

test('what the client itself noticed', () => {
  a.violations.push('regress {"position":3}');
  expect(kinds()).toEqual(['client']);
});
