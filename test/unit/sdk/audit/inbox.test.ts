import { expect, test } from 'vitest';
import { auditInbox, type InboxViolation } from '../../../../sdk/src/audit/inbox.ts';
import type { Item } from '../../../../sdk/src/wire.ts';
import { message } from '../intake/played-intake.ts';

/** What the audit of an inbox finds, and what it must not take for a violation. */

function begin() {
  const found: InboxViolation[] = [];
  const audit = auditInbox(
    (violation) => found.push(violation),
    () => 0,
  );
  audit.welcomed({ epoch: 'e1' }, 0);
  return { audit, found };
}

const item = (position: number | undefined, seq: number): Item => ({
  ...(position === undefined ? {} : { position }),
  message: message(seq),
});

test('a conversation that grows too large and shrinks again keeps one order of seqs', () => {
  const { audit, found } = begin();
  const all = [item(1, 1), item(undefined, 2), item(2, 3), item(4, 4), item(undefined, 6), item(undefined, 5)];
  expect(all.map((one) => audit.item(one))).toEqual(all.map(() => true));
  expect(found).toEqual([{ kind: 'disorder', conversation: 'c', seq: 5, after: 6 }]);
});

test('an item without a position that comes again is a repetition, except after a reset', () => {
  const { audit, found } = begin();
  for (const one of [item(undefined, 1), item(undefined, 1), item(undefined, 2), item(1, 2)]) audit.item(one);
  const repeated = { kind: 'repeated', conversation: 'c' };
  const twice = [
    { ...repeated, seq: 1, positions: [null, null] },
    { ...repeated, seq: 2, positions: [null, 1] },
  ];
  expect(found).toEqual(twice);
  audit.welcomed({ epoch: 'e2', reset: true }, 0);
  expect(audit.item(item(undefined, 1))).toBe(false);
  expect(found).toEqual(twice);
});

test('what history gave, or the device sent, is no news as an item, and no repetition', () => {
  const { audit, found } = begin();
  expect(audit.fetched(message(1))).toBe(true);
  audit.own(message(2));
  expect([1, 2, 3].map((seq) => audit.has('c', seq))).toEqual([true, true, false]);
  expect([item(1, 1), item(2, 2), item(3, 3)].map((one) => audit.item(one))).toEqual([false, false, true]);
  expect(audit.fetched(message(3))).toBe(false);
  expect(found).toEqual([]);
});

test('history and the answer to a send must name the id that the item had', () => {
  const { audit, found } = begin();
  audit.item(item(1, 1));
  audit.item(item(2, 2));
  audit.fetched(message(1, { id: 'other' }));
  audit.own(message(2, { id: 'other' }));
  expect(found).toEqual([
    { kind: 'contradiction', conversation: 'c', seq: 1, ids: ['1-0', 'other'] },
    { kind: 'contradiction', conversation: 'c', seq: 2, ids: ['2-0', 'other'] },
  ]);
});

test('items and gaps of a page lie behind the position that it was asked for', () => {
  const { audit, found } = begin();
  audit.item(item(5, 5), 4);
  audit.gap(5, 4);
  audit.gap(4, 4);
  audit.item(item(3, 3), 4);
  expect(found.slice(0, 2)).toEqual([
    { kind: 'regress', position: 4, received: 4 },
    { kind: 'regress', position: 3, received: 4 },
  ]);
});
