import { expect, test } from 'vitest';
import { Gathering } from '../../../../../shared/redis/streams/gathering.ts';

/** So many calls with `sends` each, one every `everyMs`. Returns the time after them. */
function calls(gathering: Gathering, from: number, count: number, everyMs: number, sends: number): number {
  for (let i = 0; i < count; i++) gathering.took(sends, from + i * everyMs);
  return from + count * everyMs;
}

test('a send waits for nobody while there are few', () => {
  const gathering = new Gathering();
  expect(gathering.pauseMs(1)).toBe(0);
  calls(gathering, 1000, 200, 2, 1);
  expect(gathering.pauseMs(0)).toBe(0);
});

test('a single call makes nobody wait, however large it is', () => {
  const gathering = new Gathering();
  gathering.took(64, 1000);
  expect(gathering.pauseMs(0)).toBe(0);
});

test('the next call waits a millisecond while sends come densely, unless enough wait for it', () => {
  const gathering = new Gathering();
  calls(gathering, 1000, 100, 0.5, 1);
  expect(gathering.pauseMs(0)).toBe(1);
  expect(gathering.pauseMs(5)).toBe(1);
  expect(gathering.pauseMs(6)).toBe(0);
});

test('the density counts, not the number of calls', () => {
  const gathering = new Gathering();
  calls(gathering, 1000, 100, 2, 4);
  expect(gathering.pauseMs(0)).toBe(1);
});

test('after a rest nobody waits', () => {
  const gathering = new Gathering();
  const now = calls(gathering, 1000, 100, 0.5, 2);
  gathering.took(1, now + 100);
  expect(gathering.pauseMs(0)).toBe(0);
});
