import { enough, gatherMs, Gathering } from '../../shared/redis/streams/gathering.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { BatchLimits } from '../stream/handler.ts';

const atOnce: BatchLimits = { entries: 256, pauseFrom: Infinity, pauseTo: Infinity, pauseMs: 0 };
const gathering: BatchLimits = { entries: 256, pauseFrom: 1, pauseTo: enough - 1, pauseMs: gatherMs };
/** From here on (entries a millisecond) reads are large by themselves, and a wait would only delay the next one. */
const largePerMs = 2.5;

/** How fanout reads: at once, but after a small batch of dense traffic a moment later (gathering.ts). */
export function createPace(partitions: number, now = monotonicMs) {
  const gatherings = Array.from({ length: partitions }, () => new Gathering(largePerMs));
  return {
    /** A read of a partition brought so many entries. */
    took: (partition: number, count: number): void => gatherings[partition]!.took(count, now()),

    limits: (partition: number): BatchLimits => (gatherings[partition]!.pauseMs(0) > 0 ? gathering : atOnce),
  };
}

export type Pace = ReturnType<typeof createPace>;
