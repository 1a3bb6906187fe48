import { expect, test } from 'vitest';
import { defaultRateLimits, parseRateLimits } from '../../../../shared/model/rate-limits.ts';

const standard = {
  create: { most: 60, periodMs: 3_600_000 },
  member: { most: 1200, periodMs: 3_600_000 },
  change: { most: 240, periodMs: 3_600_000 },
  read: { most: 100, periodMs: 1000 },
  frame: { most: 400, periodMs: 1000 },
  hello: { most: 240, periodMs: 60_000 },
  setting: { most: 300, periodMs: 60_000 },
  search: { most: 5, periodMs: 1000 },
  react: { most: 20, periodMs: 2000 },
};
const off = Object.fromEntries(Object.keys(standard).map((name) => [name, null]));

test.each([
  [defaultRateLimits, standard],
  ['', standard],
  ['create=5/1d', { ...standard, create: { most: 5, periodMs: 86_400_000 } }],
  [' read=off , frame = 1/10s,', { ...standard, read: null, frame: { most: 1, periodMs: 10_000 } }],
  ['off', off],
  [
    Object.keys(standard)
      .map((name) => `${name}=off`)
      .join(','),
    off,
  ],
])('%j', (text, limits) => {
  expect(parseRateLimits(text)).toEqual({ limits, faults: [] });
});

test('reports every fault of a text at once', () => {
  const { faults } = parseRateLimits(
    'create=0/1h,member=5,change=5/1w,read=1.5/1s,frame=-1/1s,hello=5/0m,hello=5/1m,sends=5/1s,off,' +
      'setting=5/31d,search,react=5/h',
  );
  expect(faults.map((fault) => fault.split(/[:=]/)[0])).toEqual([
    'create',
    'member',
    'change',
    'read',
    'frame',
    'hello',
    'hello',
    'sends',
    'off',
    'setting',
    'search',
    'react',
  ]);
});
