import { getHeapStatistics } from 'node:v8';
import type { Faults } from '../shared/process/faults.ts';
import type { Metrics } from '../shared/process/metrics.ts';
import { monotonicMs } from '../shared/timing/clocks.ts';

export const idleCollectionLimits = {
  /** How often a gateway looks, and how long it has to be quiet. */
  lookEveryMs: 10_000,
  /** A quiet gateway uses at most this share of a core. */
  quietShare: 0.1,
  /** A heap that has grown by less is not worth a collection. */
  grownBytes: 16 * 1024 * 1024,
  /** A heap with more in use is left alone: a collection stops the process about 2 ms for each megabyte in use. */
  mostBytes: 256 * 1024 * 1024,
} as const;

export type HeapSize = { totalBytes: number; usedBytes: number };

/** Whether a heap that had `leastBytes` after the last collection is worth collecting. Pure. */
export function isWorthCollecting(share: number, { totalBytes, usedBytes }: HeapSize, leastBytes: number): boolean {
  const { quietShare, grownBytes, mostBytes } = idleCollectionLimits;
  return share <= quietShare && totalBytes >= leastBytes + grownBytes && usedBytes <= mostBytes;
}

/**
 * Gives memory back when a busy gateway has become quiet. V8 collects garbage only while a process allocates, so a
 * quiet process would keep the heap of its busiest moment. `collect` is `globalThis.gc`, which needs Node's --expose-gc
 * (set in the Procfile); without it nothing is done.
 */
export function createIdleCollection(
  collect: NodeJS.GCFunction | undefined,
  faults: Pick<Faults, 'contained'>,
  metrics: Pick<Metrics, 'idleCollections'>,
) {
  let cpu = process.cpuUsage();
  let lookedAt = monotonicMs();
  let leastBytes = getHeapStatistics().total_heap_size;

  async function look(): Promise<void> {
    // Processor time, not event loop utilization: on a busy machine an idle loop looks busy because it waits.
    const { user, system } = process.cpuUsage(cpu);
    const share = (user + system) / 1000 / (monotonicMs() - lookedAt);
    cpu = process.cpuUsage();
    lookedAt = monotonicMs();
    const heap = getHeapStatistics();
    const size = { totalBytes: heap.total_heap_size, usedBytes: heap.used_heap_size };
    leastBytes = Math.min(leastBytes, size.totalBytes);
    if (!isWorthCollecting(share, size, leastBytes)) return;
    // Only this kind of collection shrinks the space of young objects.
    await collect?.({ type: 'major', execution: 'async', flavor: 'last-resort' });
    leastBytes = getHeapStatistics().total_heap_size;
    metrics.idleCollections.inc();
  }

  const timer = collect && setInterval(faults.contained('timer', look), idleCollectionLimits.lookEveryMs).unref();
  return { stop: (): void => clearInterval(timer) };
}
