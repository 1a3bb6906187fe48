import { crc32 } from 'node:zlib';
import { createRandom } from '../irc/random.ts';
import type { Fault, Ground, Step } from './stage.ts';

/** The number that decides a fault's choices: every fault has its own of one seed, whatever else runs. */
export const seedOf = (seed: number, fault: Fault): number => crc32(`${seed} ${fault.name}`);

/**
 * What is done when: a pure function of the seed, the faults and the ground. Steps of several faults interleave. Those
 * of one fault keep their order.
 */
export function planSchedule(seed: number, faults: readonly Fault[], ground: Ground): Step[] {
  return faults
    .flatMap((fault) => fault.plan(createRandom(seedOf(seed, fault)), ground))
    .toSorted((one, other) => one.atMs - other.atMs);
}

/** The schedule as it is printed. */
export const scheduleLines = (steps: readonly Step[]): string[] =>
  steps.map(({ atMs, act }) => `${(atMs / 1000).toFixed(1).padStart(7)} s  ${act}`);
