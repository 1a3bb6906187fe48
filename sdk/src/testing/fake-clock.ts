import type { Clock } from '../platform/clock.ts';

export type FakeClock = Clock & {
  /** Moves time on, and runs what becomes due, in order. What those start runs too if it is due by then. */
  advance(ms: number): Promise<void>;
  /** The clock leaps and timers are late, as after a sleep of the machine. */
  leap(ms: number): Promise<void>;
  /** When the next timer is due, in milliseconds from now. */
  readonly next: number | undefined;
};

/** Lets everything that was resolved go on. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 300; turn++) await Promise.resolve();
};

/** A clock that stands until it is moved. */
export function fakeClock(start = 1_767_225_600_000): FakeClock {
  let now = start;
  const timers = new Set<{ due: number; run: () => void }>();

  const runUntil = async (end: number): Promise<void> => {
    for (;;) {
      await settle();
      const due = [...timers].filter((one) => one.due <= end).toSorted((a, b) => a.due - b.due)[0];
      if (due === undefined) break;
      timers.delete(due);
      now = Math.max(now, due.due);
      due.run();
    }
    now = Math.max(now, end);
  };

  return {
    now: () => now,
    after(ms, run) {
      const timer = { due: now + Math.max(0, ms), run };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance: (ms) => runUntil(now + ms),
    leap(ms) {
      now += ms;
      return runUntil(now);
    },
    get next() {
      return timers.size === 0 ? undefined : Math.min(...[...timers].map(({ due }) => due)) - now;
    },
  };
}
