import { getHeapStatistics } from 'node:v8';
import type { Faults } from '../shared/process/faults.ts';
import { monotonicMs } from '../shared/timing/clocks.ts';

/**
 * `lookEveryMs`: how long a gateway has to be quiet, and how often it looks. `quietShare`: up to this share of a
 * core it may use meanwhile. `grownBytes`: by less than this a heap may have grown. `mostBytes`: a larger heap is left
 * alone, since a collection stops the process for about 2 ms for each megabyte that is still in use.
 */
export const idleCollectionLimits = {
  lookEveryMs: 10_000,
  quietShare: 0.1,
  grownBytes: 16 * 1024 * 1024,
  mostBytes: 256 * 1024 * 1024,
} as const;

export type HeapSize = { totalBytes: number; usedBytes: number };

/** Whether a heap that had `leastBytes` after the last collection is worth collecting. Pure. */
export function isWorthCollecting(share: number, { totalBytes, usedBytes }: HeapSize, leastBytes: number): boolean {
  const { quietShare, grownBytes, mostBytes } = idleCollectionLimits;
  return share <= quietShare && totalBytes >= leastBytes + grownBytes && usedBytes <= mostBytes;
}

/**
 * Gives memory back when a gateway is quiet after it was busy. V8 collects garbage while a process allocates: one that
 * has become quiet keeps the heap of its busiest moment, for as long as it is quiet. `collect` is `globalThis.gc`, which
 * is there when Node runs with --expose-gc as the Procfile says; without it nothing is done.
 */
export function createIdleCollection(collect: NodeJS.GCFunction | undefined, faults: Pick<Faults, 'contained'>) {
  let cpu = process.cpuUsage();
  let lookedAt = monotonicMs();
  let leastBytes = getHeapStatistics().total_heap_size;

  async function look(): Promise<void> {
    // The time of the processor, not that of the event loop: on a busy machine an idle loop looks busy, since it waits.
    const { user, system } = process.cpuUsage(cpu);
    const share = (user + system) / 1000 / (monotonicMs() - lookedAt);
    cpu = process.cpuUsage();
    lookedAt = monotonicMs();
    const heap = getHeapStatistics();
    const size = { totalBytes: heap.total_heap_size, usedBytes: heap.used_heap_size };
    leastBytes = Math.min(leastBytes, size.totalBytes);
    if (!isWorthCollecting(share, size, leastBytes)) return;
    // Of the kinds of collection this is the one that makes the space of young objects small again.
    await collect?.({ type: 'major', execution: 'async', flavor: 'last-resort' });
    leastBytes = getHeapStatistics().total_heap_size;
  }

  const timer = collect && setInterval(faults.contained('timer', look), idleCollectionLimits.lookEveryMs).unref();
  return { stop: (): void => clearInterval(timer) };
}
