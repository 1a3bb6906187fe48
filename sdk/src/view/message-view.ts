import { isQuiet } from '../intake/amended.ts';
import { difference, holds, missingIn, type Ranges } from '../intake/ranges.ts';
import type { OutboxEntry } from '../outbox/entry.ts';
import type { ConversationRow, IndexRow } from '../storage/storage.ts';
import type { Message, SeqRange } from '../wire.ts';

/** A message of the conversation. `stale`: it may have been amended since, which is asked for when it is looked at. */
export type ShownMessage = Message & { status: 'accepted'; stale?: true };

/** One's own, not accepted yet, or accepted and on its way into the storage. */
export type PendingMessage = Pick<
  Message,
  'conversation' | 'sender' | 'clientId' | 'kind' | 'body' | 'class' | 'at'
> & {
  status: 'queued' | 'sending' | 'failed';
  fault?: { code: string; message: string };
  persisted: boolean;
};

/** Messages that are not here. `absent` ones never come. */
export type Hole = {
  hole: SeqRange;
  state: 'unloaded' | 'loading' | 'absent';
  /** What is kept of messages in it whose texts have left the storage: enough for a line of each. Rising by seq. */
  lines?: readonly IndexRow[];
};

export type ViewItem = ShownMessage | PendingMessage | Hole;

export type View = {
  /** Rising by seq; then one's own that are not accepted yet, in the order of sending. */
  items: readonly ViewItem[];
  /** Whether there is more above and below what is shown. */
  older: 'more' | 'end' | 'unknown';
  newer: 'more' | 'end' | 'unknown';
};

export type ViewParts = {
  row: ConversationRow;
  /** What is in memory, in any order. */
  loaded: ReadonlyMap<number, Message>;
  lines: ReadonlyMap<number, IndexRow>;
  waiting: readonly OutboxEntry[];
  loading: Ranges;
  user: string;
  persisted: boolean;
  /** The backlog was read to its end: what is not known does not exist. */
  synced: boolean;
};

/** What stands in a range between messages: nothing if it is empty or holds only what is never shown. */
function holeIn(range: SeqRange, { row, loading, lines: all }: ViewParts): Hole[] {
  if (range.fromSeq > range.toSeq) return [];
  const missing = difference([range], row.absent);
  if (missing.length === 0) return [{ hole: range, state: 'absent' }];
  const hole = { fromSeq: missing[0]!.fromSeq, toSeq: missing.at(-1)!.toSeq };
  const state = difference(missing, loading).length === 0 ? 'loading' : 'unloaded';
  const inside = [...all.values()].filter(({ seq }) => seq >= hole.fromSeq && seq <= hole.toSeq);
  if (inside.length === 0) return [{ hole, state }];
  return [{ hole, state, lines: inside.toSorted((one, other) => one.seq - other.seq) }];
}

const pending = ({ clientId, lane, kind, body, class: messageClass, ...entry }: OutboxEntry, parts: ViewParts) => ({
  conversation: lane,
  sender: parts.user,
  clientId,
  kind,
  body,
  class: messageClass,
  at: entry.queuedAt,
  // Until it is stored it has no place among the others.
  status: entry.state === 'accepted' ? ('sending' as const) : entry.state,
  ...(entry.fault === undefined ? {} : { fault: entry.fault }),
  persisted: parts.persisted,
});

function olderOf({ row, synced }: ViewParts, lowest: number | undefined): View['older'] {
  if (row.lastSeq === 0 && lowest === undefined) return synced ? 'end' : 'unknown';
  const below = { fromSeq: 1, toSeq: (lowest ?? row.lastSeq + 1) - 1 };
  return difference([below], row.absent).some(({ fromSeq, toSeq }) => fromSeq <= toSeq) && below.toSeq > 0
    ? 'more'
    : 'end';
}

/** The view of a conversation. Nothing is left out without a hole in its place. */
export function makeView(parts: ViewParts): View {
  const { row, loaded, waiting } = parts;
  const seqs = [...loaded.keys()].toSorted((one, other) => one - other);
  // A message that was accepted again after a loss stands at its new seq alone.
  const placeOf = new Map(seqs.map((seq) => [`${loaded.get(seq)!.sender} ${loaded.get(seq)!.clientId}`, seq]));
  const items: ViewItem[] = [];
  const lowest = Math.min(row.lastSeq + 1, ...seqs.slice(0, 1), ...parts.lines.keys());
  let reached = lowest - 1;
  for (const seq of seqs) {
    items.push(...holeIn({ fromSeq: reached + 1, toSeq: seq - 1 }, parts));
    reached = seq;
    const message = loaded.get(seq)!;
    if (isQuiet(message) || placeOf.get(`${message.sender} ${message.clientId}`) !== seq) continue;
    items.push({ ...message, status: 'accepted', ...(holds(row.stale, seq) ? { stale: true } : {}) });
  }
  items.push(...holeIn({ fromSeq: reached + 1, toSeq: row.lastSeq }, parts));
  for (const entry of waiting) {
    if (entry.type === 'send' && !placeOf.has(`${parts.user} ${entry.clientId}`)) items.push(pending(entry, parts));
  }
  const missingAbove = difference(missingIn({ fromSeq: reached + 1, toSeq: row.lastSeq }, []), row.absent);
  return {
    items,
    older: olderOf(parts, lowest > row.lastSeq ? undefined : lowest),
    newer: missingAbove.length === 0 || row.lastSeq <= reached ? 'end' : 'more',
  };
}
