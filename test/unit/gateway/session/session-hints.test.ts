import { beforeEach, expect, test } from 'vitest';
import { clock, open, push, startOver, written } from './session-and-inbox.ts';

beforeEach(startOver);

const hint = (position: number): string => JSON.stringify({ type: 'hint', position });

test('a hint is written at once and moves nothing', () => {
  const session = open('push');
  push(session);
  expect(session.hint(hint(7))).toBe('sent');
  push(session);
  expect(written).toEqual([1, 'hint 7', 2]);
  expect([session.known, session.sent, session.received]).toEqual([2, 2, 0]);
});

test('hints wait for welcome, in their order and up to a bound', () => {
  const session = open('lazy', {}, true);
  const results = Array.from({ length: 17 }, (_, i) => session.hint(hint(i)));
  expect(results).toEqual([...Array.from({ length: 16 }, () => 'sent'), 'dropped']);
  expect(written).toEqual([]);
  session.release();
  expect(written).toEqual(Array.from({ length: 16 }, (_, i) => `hint ${i}`));
});

test('a slow reader loses hints before anything else', () => {
  const session = open('push');
  clock.waitingBytes = 256 * 1024 + 1;
  expect(session.hint(hint(1))).toBe('dropped');
  clock.waitingBytes -= 1;
  expect(session.hint(hint(2))).toBe('sent');
  expect(written).toEqual(['hint 2']);
});

test('a device that pulls gets none, and neither does one that is gone', () => {
  const pulling = open('pull');
  const gone = open('push');
  gone.end();
  expect([pulling.hint(hint(1)), gone.hint(hint(1))]).toEqual([null, null]);
  expect(written).toEqual([]);
});
