import { expect, test } from 'vitest';
import { Redelivery } from '../../../../gateway/session/redelivery.ts';

const start = 1_000_000;

/** One that has been asked for a job: an item was pushed 5 s before `start`. */
function asked(): Redelivery {
  const redelivery = new Redelivery();
  redelivery.expect(start - 5000);
  expect(redelivery.remind(start)).toBe('ask');
  return redelivery;
}

test('is due 5 s after the oldest unreceived item, whatever is pushed later', () => {
  const redelivery = new Redelivery();
  redelivery.expect(start);
  redelivery.expect(start + 4000);
  expect(redelivery.remind(start + 4999)).toBe('nothing');
  expect(redelivery.remind(start + 5000)).toBe('ask');
});

test('asks for a job three times, a minute apart, then gives up', () => {
  const redelivery = asked();
  const due = [59_999, 60_000, 120_000, 179_999, 180_000].map((later) => redelivery.remind(start + later));
  expect(due).toEqual(['nothing', 'ask', 'ask', 'nothing', 'give up']);
});

test('pushes again four times, 5 s apart, then gives up', () => {
  const redelivery = asked();
  const due = [0, 4999, 5000, 10_000, 15_000, 20_000].map((later) => redelivery.attempt(start + later));
  expect(due).toEqual(['push', 'rest', 'push', 'push', 'push', 'give up']);
  expect(redelivery.pushes).toBe(5);
});

test('ignores an attempt when no job was asked for', () => {
  const redelivery = new Redelivery();
  redelivery.expect(start);
  expect(redelivery.attempt(start + 60_000)).toBe('rest');
});

test('is idle after a receipt, and says whether a job was asked for', () => {
  const redelivery = asked();
  expect([redelivery.receive(), redelivery.receive()]).toEqual([true, false]);
  expect([redelivery.isExpecting, redelivery.remind(start + 600_000)]).toEqual([false, 'nothing']);
});

test('does not push again within 5 s even after a receipt', () => {
  const redelivery = asked();
  expect(redelivery.attempt(start)).toBe('push');
  redelivery.receive();
  redelivery.expect(start - 1000);
  expect(redelivery.remind(start + 4000)).toBe('ask');
  expect(redelivery.attempt(start + 4999)).toBe('rest');
  expect(redelivery.attempt(start + 5000)).toBe('push');
});
