import type { Clock } from '../platform/clock.ts';
import { nextEviction, withoutEvicted, type CacheLimits } from '../storage/eviction.ts';
import type { ConversationRow } from '../storage/storage.ts';
import type { Writer } from '../storage/writer.ts';

export type CacheOptions = {
  writer: Writer;
  clock: Clock;
  limits: CacheLimits;
  rows(): ConversationRow[];
  isOpen(id: string): boolean;
};

/** How long nothing must have been stored before something is taken away. */
const idleMs = 5000;

/**
 * Keeps the storage within its limits, in slices and only when it is idle. The returned function says that something
 * was stored. Messages and the ranges that name them leave in one transaction.
 */
export function createCache({ writer, clock, limits, rows, isOpen }: CacheOptions): () => void {
  let cancel = (): void => {};

  const evict = (): void => {
    const found = nextEviction(rows(), limits, isOpen);
    if (found === null) return;
    const { id } = found.row;
    writer.change({
      async run(transaction) {
        transaction.setRow(withoutEvicted(await transaction.row(id), found));
        transaction.evict({ conversation: id, ...found.range });
      },
    });
  };

  return () => {
    cancel();
    cancel = clock.after(idleMs, evict);
  };
}
