import { expect, test } from 'vitest';
import { audit } from '../../../../sdk/src/audit/audit.ts';
import type { ClientEvents } from '../../../../sdk/src/client/api.ts';
import { createEmitter } from '../../../../sdk/src/client/events.ts';
import type { Message } from '../../../../sdk/src/wire.ts';
import { message } from '../intake/played-intake.ts';

/** What an audit finds, and what it must not take for a violation. */

function play() {
  const { on, emit } = createEmitter<ClientEvents>(() => {});
  const checked = audit({ on });
  const take = (one: Message, live = true): void => emit('message', { message: one, live, first: true });
  return { checked, take, reset: () => emit('reset', {}) };
}

test('finds nothing in a conversation that is kept in order', () => {
  const { checked, take } = play();
  for (const seq of [1, 2, 3]) take(message(seq));
  take(message(2), false);
  take(message(1, { conversation: 'other' }));
  expect(checked.violations).toEqual([]);
  expect(checked.seen).toBe(5);
});

test('finds a seq of two messages, a message of two seqs, and a message that comes too late', () => {
  const { checked, take } = play();
  take(message(1));
  take(message(3));
  take(message(1, { id: 'other' }), false);
  take(message(4, { clientId: 'k3' }));
  take(message(2));
  expect(checked.violations).toEqual([
    { kind: 'contradiction', conversation: 'c', seq: 1, ids: ['1-0', 'other'] },
    { kind: 'doubled', conversation: 'c', clientId: 'k3', seqs: [3, 4] },
    { kind: 'disorder', conversation: 'c', seq: 2, after: 4 },
  ]);
});

test('begins anew after a reset, and ends when it is closed', () => {
  const { checked, take, reset } = play();
  take(message(5));
  reset();
  take(message(5, { id: 'other' }));
  take(message(9, { clientId: 'k5', id: 'x' }), false);
  expect(checked.violations).toHaveLength(1);
  checked.close();
  take(message(1));
  expect(checked.seen).toBe(3);
});
