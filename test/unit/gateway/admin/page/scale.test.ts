import { describe, expect, test } from 'vitest';
// @ts-expect-error The page is plain JavaScript for browsers; its types are checked on their own.
import { gapsIn, linePath, spansOf, timeTicks, valueTicks } from '../../../../../gateway/admin/page/scale.mjs';

describe('ticks of values', () => {
  test.each([
    [0, [0, 1]],
    [1, [0, 0.5, 1]],
    [95, [0, 50, 100]],
    [960, [0, 500, 1000]],
    [2399, [0, 1000, 2000, 3000]],
    [0.3, [0, 0.1, 0.2, 0.3]],
  ])('up to %d', (most, ticks) => {
    expect(valueTicks(most)).toEqual(ticks);
  });

  test('always hold the highest value, with at most five lines', () => {
    for (let most = 0.01; most < 1e9; most *= 1.37) {
      const ticks = valueTicks(most) as number[];
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(most * 0.999_999);
      expect(ticks.length).toBeLessThanOrEqual(5);
    }
  });
});

test('ticks of times are whole minutes, and no more than there is room for', () => {
  const at = (text: string): number => Date.parse(`2026-11-29T${text}Z`);
  expect(timeTicks(at('11:10:30'), at('12:10:30'), 4)).toEqual(
    ['11:15', '11:30', '11:45', '12:00'].map((text) => at(`${text}:00`)),
  );
  expect(timeTicks(at('11:55:30'), at('12:10:30'), 8)).toHaveLength(8);
});

describe('a line', () => {
  const x = (at: number) => at / 1000;
  const y = (value: number) => 100 - value;
  const path = (points: [at: number, value: number | null][]) =>
    linePath(
      points.map(([at, value]) => ({ at, value })),
      x,
      y,
      25_000,
    );

  test('goes through its samples', () => {
    expect(
      path([
        [0, 1],
        [10_000, 2],
        [20_000, 3],
      ]),
    ).toBe('M0.0 99.0h0L10.0 98.0L20.0 97.0');
  });

  test('is broken where samples are missing, and where one has no value', () => {
    expect(
      path([
        [0, 1],
        [30_000, 2],
      ]),
    ).toBe('M0.0 99.0h0M30.0 98.0h0');
    expect(
      path([
        [0, 1],
        [10_000, null],
        [20_000, 2],
      ]),
    ).toBe('M0.0 99.0h0M20.0 98.0h0');
  });
});

test('times without samples are gaps, also the newest', () => {
  expect(gapsIn([0, 10, 20, 60, 70], 5, 100, 25)).toEqual([
    { from: 20, to: 60 },
    { from: 70, to: 100 },
  ]);
  expect(gapsIn([0, 10, 20], 0, 25, 25)).toEqual([]);
});

test('states become spans, which end where samples are missing', () => {
  const points = [
    { at: 10, value: 'calm' },
    { at: 20, value: 'calm' },
    { at: 30, value: 'surge' },
    { at: 90, value: 'surge' },
  ];
  expect(spansOf(points, 10)).toEqual([
    { from: 0, to: 20, value: 'calm' },
    { from: 20, to: 30, value: 'surge' },
    { from: 80, to: 90, value: 'surge' },
  ]);
});
