import { expect, test } from 'vitest';
import { createPace } from '../../../../workers/fanout/pace.ts';

test('fanout reads on at once, but after a small batch of dense traffic a millisecond later', () => {
  let now = 1000;
  const pace = createPace(2, () => now);
  const play = (partition: number, reads: number, everyMs: number, count: number): void => {
    for (let i = 0; i < reads; i++, now += everyMs) pace.took(partition, count);
  };
  expect(pace.limits(0)).toMatchObject({ entries: 256, pauseMs: 0 });
  play(0, 200, 2, 1);
  expect(pace.limits(0).pauseMs).toBe(0);
  play(0, 200, 1, 1);
  expect(pace.limits(0)).toEqual({ entries: 256, pauseFrom: 1, pauseTo: 5, pauseMs: 1 });
  // Each partition has its own traffic, and a rest ends it.
  expect(pace.limits(1).pauseMs).toBe(0);
  play(0, 200, 1, 3);
  expect(pace.limits(0).pauseMs).toBe(0);
  play(0, 200, 1, 1);
  expect(pace.limits(0).pauseMs).toBe(1);
  now += 100;
  pace.took(0, 1);
  expect(pace.limits(0).pauseMs).toBe(0);
});
