import fc from 'fast-check';
import { vi } from 'vitest';

// A thousand cases take well under a second, but the machine may be busy with other work.
vi.setConfig({ testTimeout: 60_000 });

const usualCases = 1000;

/**
 * Checks a property in a thousand random cases. A failure names the smallest case that was found, its seed and its
 * path. PROPERTY_SEED=<seed> PROPERTY_PATH=<path> repeats it, PROPERTY_RUNS=<n> looks longer.
 */
export function always<Ts>(property: fc.IProperty<Ts>): void {
  fc.assert(property, parameters());
}

/** The same, for a property that takes time; in fewer cases if each of them is long. */
export async function alwaysInTime<Ts>(property: fc.IAsyncProperty<Ts>, cases = usualCases): Promise<void> {
  await fc.assert(property, parameters(cases));
}

function parameters(cases = usualCases): { numRuns: number; seed?: number; path?: string } {
  const { PROPERTY_SEED: seed, PROPERTY_PATH: path, PROPERTY_RUNS: runs } = process.env;
  return {
    numRuns: Number(runs ?? cases),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  };
}
