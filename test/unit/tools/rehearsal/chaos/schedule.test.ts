import { describe, expect, test } from 'vitest';
import { faults } from '../../../../../tools/rehearsal/chaos/faults/registry.ts';
import { planSchedule, scheduleLines } from '../../../../../tools/rehearsal/chaos/schedule.ts';
import type { Ground } from '../../../../../tools/rehearsal/chaos/stage.ts';

const ground: Ground = { on: 'redis', store: 'sqlite', level: 'accepted', fast: false, mode: 'liveness' };
const named = (...names: string[]) => faults.filter(({ name }) => names.includes(name));
const lines = (seed: number, ...names: string[]): string[] =>
  scheduleLines(planSchedule(seed, named(...names), ground));

describe('a schedule', () => {
  test.each(faults.map(({ name }) => name))('of %s follows from its seed alone, and its steps are in order', (name) => {
    for (const fast of [false, true]) {
      for (const on of ['redis', 'replica'] as const) {
        const plan = () => planSchedule(7, named(name), { ...ground, fast, on });
        expect(scheduleLines(plan())).toEqual(scheduleLines(plan()));
        const times = plan().map(({ atMs }) => atMs);
        expect(times).toEqual(times.toSorted((one, other) => one - other));
        expect(times.every((atMs) => atMs >= 0 && atMs < 300_000)).toBe(true);
      }
    }
  });

  test('differs with the seed', () => {
    expect(lines(1, 'F7a')).not.toEqual(lines(2, 'F7a'));
    expect(lines(1, 'F40')).not.toEqual(lines(2, 'F40'));
  });

  test('of several faults holds the steps of each as if it were alone', () => {
    const together = lines(3, 'F2', 'F22');
    for (const name of ['F2', 'F22']) {
      const alone = lines(3, name);
      expect(together.filter((line) => alone.includes(line))).toEqual(alone);
    }
    expect(together).toHaveLength(lines(3, 'F2').length + lines(3, 'F22').length);
  });

  test('is printed with its times', () => {
    expect(lines(1, 'F8a')).toEqual(['    0.0 s  FLUSHALL']);
  });
});

describe('the faults', () => {
  test('have names of their own, and each does something or says why it cannot', () => {
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length);
    for (const fault of faults) {
      const steps = fault.plan(
        { next: () => 0.5, between: (low) => low, chance: () => false, pick: (all) => all[0]! },
        ground,
      );
      const reason = fault.cannot?.({ ...ground, on: 'redis', store: 'sqlite' });
      if (fault.name !== 'F0' && steps.length === 0) expect(reason).toMatch(/\w/);
    }
  });

  test('cover the list from F0 to F44', () => {
    const numbers = new Set(faults.map(({ name }) => Number(/\d+/.exec(name)![0])));
    // F31 is part of the traffic, F43 the same as F35.
    const missing = Array.from({ length: 45 }, (_, index) => index).filter(
      (number) => !numbers.has(number) && ![31, 43].includes(number),
    );
    expect(missing).toEqual([]);
  });
});
