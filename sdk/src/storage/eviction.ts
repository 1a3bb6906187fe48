import { sizeOf, withoutRange, type Ranges } from '../intake/ranges.ts';
import type { ConversationRow } from './storage.ts';

export type CacheLimits = {
  /** Messages of one conversation; twice as many of one that is open or unread. */
  perConversation: number;
  total: number;
};

export const defaultCache: CacheLimits = { perConversation: 1000, total: 20_000 };

/** The most messages that leave in one transaction. */
const sliceSeqs = 200;

export type Eviction = { row: ConversationRow; range: { fromSeq: number; toSeq: number } };

/** The oldest `count` seqs that are here, as one range; at most a slice. */
function oldest(present: Ranges, count: number): { fromSeq: number; toSeq: number } {
  const first = present[0]!;
  return { fromSeq: first.fromSeq, toSeq: Math.min(first.toSeq, first.fromSeq + Math.min(count, sliceSeqs) - 1) };
}

/**
 * What leaves next, or null: the oldest messages of the conversation that is furthest above its share, and of the
 * largest if all together are too many.
 */
export function nextEviction(
  rows: readonly ConversationRow[],
  limits: CacheLimits,
  isOpen: (id: string) => boolean,
): Eviction | null {
  let over: { row: ConversationRow; by: number } | null = null;
  let total = 0;
  let largest: { row: ConversationRow; size: number } | null = null;
  for (const row of rows) {
    const size = sizeOf(row.present);
    const dear = isOpen(row.id) || row.unread > 0;
    const by = size - limits.perConversation * (dear ? 2 : 1);
    total += size;
    if (by > (over?.by ?? 0)) over = { row, by };
    if (size > (largest?.size ?? 0)) largest = { row, size };
  }
  if (over !== null) return { row: over.row, range: oldest(over.row.present, over.by) };
  if (total <= limits.total || largest === null) return null;
  return { row: largest.row, range: oldest(largest.row.present, total - limits.total) };
}

/** The row without the seqs that leave: they may be read again, and are no longer here. */
export const withoutEvicted = (row: ConversationRow, { range }: Eviction): ConversationRow => ({
  ...row,
  present: withoutRange(row.present, range),
  stale: withoutRange(row.stale, range),
});
