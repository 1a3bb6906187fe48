import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPreload } from './preload.ts';

/**
 * Wall clocks that tests can shift. A process started with a clock's `env` reads the machine's time plus the current
 * shift. Its monotonic clock is untouched. Needs Linux and a C compiler; otherwise `reason` names what is missing:
 *
 *   const clocks = findClocks();
 *   if ('reason' in clocks) return skip(clocks.reason);
 *   const clock = clocks.create();
 *   const redis = await startRedis(clock.env);
 *   clock.shift(3 * hourMs);
 */
export type ShiftedClock = {
  /** The environment for the processes that use this clock. */
  readonly env: Record<string, string>;
  /** Sets the offset from the machine's time, positive or negative (ms). Takes effect at once. */
  shift(ms: number): void;
  /** The current time by this clock (ms). */
  now(): number;
  /** Removes it. Call this after the processes that use it have ended. */
  remove(): void;
};

export type Clocks = { create(): ShiftedClock } | { readonly reason: string };

const source = fileURLToPath(new URL('./clock-shift.c', import.meta.url));

export function findClocks(): Clocks {
  const built = buildPreload(source, 'the shifted clock of single processes');
  return 'reason' in built ? built : { create: () => createClock(built.path) };
}

function createClock(library: string): ShiftedClock {
  const folder = mkdtempSync(join(tmpdir(), 'restante-test-clock-'));
  const path = join(folder, 'shift');
  const file = openSync(path, 'w');
  const number = Buffer.alloc(8);
  let shiftedMs = 0;
  const clock: ShiftedClock = {
    env: { LD_PRELOAD: library, CLOCK_SHIFT: path },
    shift(ms) {
      shiftedMs = ms;
      new BigInt64Array(number.buffer, number.byteOffset, 1)[0] = BigInt(ms);
      writeSync(file, number, 0, 8, 0);
    },
    now: () => Date.now() + shiftedMs,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  clock.shift(0);
  return clock;
}
