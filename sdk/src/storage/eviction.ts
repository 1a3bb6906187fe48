import { sizeOf, withoutRange, type Ranges } from '../intake/ranges.ts';
import type { SeqRange } from '../wire.ts';
import type { ConversationRow, Stretch } from './storage.ts';

export type CacheLimits = {
  /** Messages of one conversation; twice as many of one that is open or unread. */
  perConversation: number;
  /** Messages of all conversations, and the bytes that they take. */
  total: number;
  bytes: number;
  /** Messages of which a line is kept after their text has left. */
  index: number;
};

/** What decides about a conversation. */
export type Share = Pick<ConversationRow, 'id' | 'present' | 'indexed' | 'bytes'> & {
  /** Open or unread: it keeps twice its share. */
  dear: boolean;
};

/** The most rows that leave in one transaction. */
const sliceRows = 200;
/** Below this part of the bytes nothing leaves while the network is bad: what is here is hard to get again. */
const dearPart = 0.9;

/** The oldest `count` seqs, as one range; at most a slice. */
function oldest(ranges: Ranges, count: number): SeqRange {
  const { fromSeq, toSeq } = ranges[0]!;
  return { fromSeq, toSeq: Math.min(toSeq, fromSeq + Math.min(Math.ceil(count), sliceRows) - 1) };
}

/** The share that is largest by a measure, against what it may keep. */
function largest(shares: Iterable<Share>, measure: (share: Share) => number): Share | null {
  let found: { share: Share; size: number } | null = null;
  for (const share of shares) {
    const size = measure(share) / (share.dear ? 2 : 1);
    if (share.present.length > 0 && size > (found?.size ?? 0)) found = { share, size };
  }
  return found?.share ?? null;
}

const sum = (shares: Iterable<Share>, measure: (share: Share) => number): number =>
  [...shares].reduce((total, share) => total + measure(share), 0);

const messagesOf = ({ present }: Share): number => sizeOf(present);
const bytesOf = ({ bytes }: Share): number => bytes;

const of = ({ id, present }: Share, count: number): Stretch => ({ conversation: id, ...oldest(present, count) });

/**
 * The messages whose texts leave next, or null: the oldest of the conversation that is furthest above its share; of the
 * largest if all together are too many, or too large. With `careful` nothing leaves while there is room.
 */
export function nextEviction(shares: ReadonlyMap<string, Share>, limits: CacheLimits, careful = false): Stretch | null {
  const all = [...shares.values()];
  const bytes = sum(all, bytesOf);
  if (careful && bytes < dearPart * limits.bytes) return null;
  const above = (share: Share): number => messagesOf(share) - limits.perConversation * (share.dear ? 2 : 1);
  const furthest = all.reduce<Share | null>(
    (most, share) => (above(share) > Math.max(0, most === null ? 0 : above(most)) ? share : most),
    null,
  );
  if (furthest !== null) return of(furthest, above(furthest));
  const excess = sum(all, messagesOf) - limits.total;
  const most = largest(all, messagesOf);
  if (excess > 0 && most !== null) return of(most, excess);
  const heaviest = bytes > limits.bytes ? largest(all, bytesOf) : null;
  if (heaviest === null) return null;
  return of(heaviest, ((bytes - limits.bytes) / heaviest.bytes) * messagesOf(heaviest));
}

/** A quarter of all messages, by conversation: what leaves when the browser gives no more room. */
export function quarter(shares: ReadonlyMap<string, Share>): Stretch[] {
  let rest = Math.ceil(sum(shares.values(), messagesOf) / 4);
  const left = new Map([...shares].map(([id, share]) => [id, { ...share }]));
  const leaving: Stretch[] = [];
  while (rest > 0) {
    const most = largest(left.values(), messagesOf);
    if (most === null) break;
    const stretch = of(most, rest);
    leaving.push(stretch);
    left.set(most.id, { ...most, present: withoutRange(most.present, stretch) });
    rest -= stretch.toSeq - stretch.fromSeq + 1;
  }
  return leaving;
}

/** The lines that leave the index next: the oldest of the conversation with the most. */
export function nextOfIndex(shares: ReadonlyMap<string, Share>, limits: CacheLimits): Stretch | null {
  const sizes = [...shares.values()].map((share) => ({ share, size: sizeOf(share.indexed) }));
  const excess = sizes.reduce((total, { size }) => total + size, 0) - limits.index;
  if (excess <= 0) return null;
  const { share } = sizes.reduce((most, one) => (one.size > most.size ? one : most));
  return { conversation: share.id, ...oldest(share.indexed, excess) };
}
