import { monotonicMs } from '../../timing/clocks.ts';

/**
 * What a gateway witnesses of the time of each partition's pool of known clientIds (sent-pool.include.lua): the mark
 * that it heard last, and for how long it has known it. All calls of the gateway that use the pool share it.
 */
export function createPoolWitness() {
  const marks = new Map<number, { mark: string; since: number }>();

  return {
    /** As scripts take it: the mark ('' = none), and the time since it was first heard of (ms, monotonic). */
    of(partition: number): [mark: string, heldMs: number] {
      const known = marks.get(partition);
      return known === undefined ? ['', 0] : [known.mark, Math.floor(monotonicMs() - known.since)];
    },
    /** The mark of a reply. */
    note(partition: number, mark: string | undefined): void {
      if (mark === undefined || mark === marks.get(partition)?.mark) return;
      marks.set(partition, { mark, since: monotonicMs() });
    },
  };
}

export type PoolWitness = ReturnType<typeof createPoolWitness>;
