/** On a busy machine a measurement includes other work: wait for a quiet moment, but not without end. */
import { setTimeout as pause } from 'node:timers/promises';
import { cpuBetween, readCpu } from './proc.ts';

/** Above this many cores of other work, a measurement is marked as disturbed. */
export const quietCores = 0.25;

const sampleMs = 700;

/** Resolves with the last foreign cores when it is quiet or `patienceMs` has passed; rejects on `signal`. */
export async function waitForQuiet(patienceMs: number, signal: AbortSignal): Promise<number> {
  const givenUpAt = performance.now() + patienceMs;
  for (;;) {
    const before = readCpu({});
    await pause(sampleMs, undefined, { signal });
    const { foreignCores } = cpuBetween(before, readCpu({}));
    if (foreignCores <= quietCores || performance.now() + sampleMs > givenUpAt) return foreignCores;
  }
}
