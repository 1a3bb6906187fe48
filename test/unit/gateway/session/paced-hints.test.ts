import { beforeEach, expect, test } from 'vitest';
import { PacedHints } from '../../../../gateway/session/paced-hints.ts';

let paced: PacedHints;
let now: number;
beforeEach(() => {
  paced = new PacedHints();
  now = 1000;
});

const take = (key: string, seq: number) => paced.take(key, seq, `${key} ${seq}`, now);

test('the first of a thing is written at once, the others of the next second as one', () => {
  expect([take('a', 1), take('a', 2), take('a', 3), take('b', 1)]).toEqual(['write', 'wait', 'coalesced', 'write']);
  now += 999;
  expect(paced.due(now)).toEqual([]);
  now += 1;
  expect(paced.due(now)).toEqual(['a 3']);
  expect(take('a', 4)).toBe('wait');
  now += 1000;
  expect(paced.due(now)).toEqual(['a 4']);
  now += 1000;
  expect(paced.due(now)).toEqual([]);
  expect(take('a', 5)).toBe('write');
});

test('nothing is told after something higher', () => {
  expect([take('a', 5), take('a', 5), take('a', 3)]).toEqual(['write', 'coalesced', 'coalesced']);
  now += 5000;
  expect([paced.due(now), take('a', 5), take('a', 6)]).toEqual([[], 'coalesced', 'write']);
});

test('a connection gets at most 50 a second, and each thing in the end', () => {
  const keys = Array.from({ length: 120 }, (_, i) => `k${i}`);
  const results = keys.map((key) => take(key, 1));
  expect(results.filter((result) => result === 'write')).toHaveLength(50);
  const told: string[] = [];
  for (let i = 0; i < 2; i++) {
    now += 1000;
    const due = paced.due(now);
    expect(due.length).toBeLessThanOrEqual(50);
    expect(paced.due(now + 500)).toEqual([]);
    told.push(...due);
  }
  expect(told).toEqual(keys.slice(50, 150).map((key) => `${key} 1`));
});

test('what is remembered is bounded: the longest untold is forgotten', () => {
  for (let i = 0; i < 1200; i++) {
    if (i % 50 === 0) now += 1000;
    expect(take(`k${i}`, 7)).toBe('write');
  }
  now += 1000;
  expect(take('k0', 3)).toBe('write');
  expect(take('k1199', 3)).toBe('coalesced');
});
