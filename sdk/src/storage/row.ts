import { isQuiet, type Amendment } from '../intake/amended.ts';
import { difference, missingIn, union, withRange, type Ranges } from '../intake/ranges.ts';
import type { Message, SeqRange } from '../wire.ts';
import type { ConversationRow } from './storage.ts';

export const newRow = (id: string, epoch: string | null): ConversationRow => ({
  id,
  unread: 0,
  countedSeq: 0,
  readSeq: 0,
  lastSeq: 0,
  last: null,
  at: 0,
  present: [],
  absent: [],
  epoch,
  gaps: [],
  stale: [],
  amendments: [],
});

/** The most amendments that wait for their target. Those that came first are the first to leave. */
const keptAmendments = 200;

/** Seqs up to the last one that are neither here nor known never to come. */
export const holesOf = ({ lastSeq, present, absent }: ConversationRow): Ranges =>
  lastSeq === 0 ? [] : difference(missingIn({ fromSeq: 1, toSeq: lastSeq }, present), absent);

/**
 * A row after a change of its ranges. A new hole makes everything below it stale: an amendment of it may lie in the
 * hole. A hole that was filled has brought its amendments.
 */
export function settled(before: ConversationRow, after: ConversationRow): ConversationRow {
  const holes = holesOf(after);
  const gaps = difference(difference(after.gaps, after.present), after.absent);
  const highest = holes.at(-1);
  if (highest === undefined) return { ...after, gaps, stale: [] };
  const top = difference(holes, holesOf(before)).at(-1);
  const below = (seq: number): Ranges => difference(after.present, [{ fromSeq: seq, toSeq: Number.MAX_SAFE_INTEGER }]);
  const stale = top === undefined ? after.stale : union(after.stale, below(top.fromSeq));
  return { ...after, gaps, stale: difference(stale, [{ fromSeq: highest.fromSeq, toSeq: Number.MAX_SAFE_INTEGER }]) };
}

export const withGap = (row: ConversationRow, gap: SeqRange): ConversationRow =>
  settled(row, { ...row, lastSeq: Math.max(row.lastSeq, gap.toSeq), gaps: withRange(row.gaps, gap) });

/** Seqs that never come. What is here stays. */
export const withAbsent = (row: ConversationRow, absent: Ranges): ConversationRow =>
  settled(row, { ...row, absent: union(row.absent, difference(absent, row.present)) });

export function withMessage(row: ConversationRow, message: Message): ConversationRow {
  const { seq } = message;
  const here = { fromSeq: seq, toSeq: seq };
  const newest = !isQuiet(message) && seq >= (row.last?.seq ?? 0);
  return settled(row, {
    ...row,
    lastSeq: Math.max(row.lastSeq, seq),
    present: withRange(row.present, here),
    absent: difference(row.absent, [here]),
    ...(newest ? { last: message, at: message.at } : {}),
  });
}

/** Keeps an amendment until its target comes: by then its text may still be the old one. */
export function withAmendment(row: ConversationRow, amendment: Amendment): ConversationRow {
  const others = row.amendments.filter(({ seq, amendSeq }) => seq !== amendment.seq || amendSeq > amendment.amendSeq);
  return { ...row, amendments: [...others, amendment].slice(-keptAmendments) };
}
