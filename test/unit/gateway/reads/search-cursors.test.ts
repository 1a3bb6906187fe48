import type { Redis } from 'ioredis';
import { beforeEach, expect, test } from 'vitest';
import { createSearchCursors } from '../../../../gateway/reads/search-cursors.ts';

let stored: string | null;
let now: number;
const redis = {
  set: async (_key: string, value: string) => void (stored ??= value),
  get: async () => stored,
} as unknown as Redis;
const cursors = () => createSearchCursors(redis, { searchKey: 'key' }, () => now);

beforeEach(() => {
  stored = null;
  now = 1_800_000_000_000;
});

test('leads back to where a search ended, at any gateway', async () => {
  for (const rank of [0, 1, 55_296_000_123_456]) {
    const next = await cursors().write('search', rank);
    expect(next.length).toBeLessThanOrEqual(128);
    expect(await cursors().read('search', next)).toBe(rank);
  }
});

test('is good for ten minutes', async () => {
  const one = cursors();
  const next = await one.write('search', 5);
  now += 600_000;
  expect(await one.read('search', next)).toBe(5);
  now += 1;
  await expect(one.read('search', next)).rejects.toMatchObject({ code: 'bad_request' });
});

test('is good for its search alone, and cannot be made up', async () => {
  const one = cursors();
  const next = await one.write('search', 5);
  await expect(one.read('other', next)).rejects.toMatchObject({ code: 'bad_request' });
  for (const wrong of [
    '',
    'x',
    next.replace(/^./, '6'),
    `${next}x`,
    `${next.slice(0, -1)}${next.endsWith('A') ? 'B' : 'A'}`,
    '1.1.1',
  ])
    await expect(one.read('search', wrong)).rejects.toMatchObject({ code: 'bad_request' });
});

test('ends with a loss of Redis, and a gateway that knew the old secret takes the new one', async () => {
  const one = cursors();
  const old = await one.write('search', 5);
  stored = null;
  const next = await cursors().write('search', 6);
  expect(await one.read('search', next)).toBe(6);
  await expect(one.read('search', old)).rejects.toMatchObject({ code: 'bad_request' });
});
