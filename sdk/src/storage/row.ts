import { isQuiet, type Amendment } from '../intake/amended.ts';
import { difference, missingIn, union, withoutRange, withRange, type Ranges } from '../intake/ranges.ts';
import type { Message, SeqRange } from '../wire.ts';
import { bytesOf } from './message-size.ts';
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
  indexed: [],
  bytes: 0,
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

/** A row with a message that was not here, and the numbers that it changes. */
export function withMessage(
  row: ConversationRow,
  message: Message,
  { unread, readSeq }: Pick<ConversationRow, 'unread' | 'readSeq'>,
): ConversationRow {
  const { seq } = message;
  const here = { fromSeq: seq, toSeq: seq };
  const newest = !isQuiet(message) && seq >= (row.last?.seq ?? 0);
  const next = {
    ...row,
    unread,
    readSeq,
    lastSeq: Math.max(row.lastSeq, seq),
    last: newest ? message : row.last,
    at: newest ? message.at : row.at,
    present: withRange(row.present, here),
    absent: withoutRange(row.absent, here),
    indexed: withoutRange(row.indexed, here),
    bytes: row.bytes + bytesOf(message),
    amendments: row.amendments.length === 0 ? row.amendments : row.amendments.filter((one) => one.seq !== seq),
  };
  // Directly above the last one it makes no hole and fills none.
  return seq === row.lastSeq + 1 ? next : settled(row, next);
}

/** Keeps an amendment until its target comes: by then its text may still be the old one. */
export function withAmendment(row: ConversationRow, amendment: Amendment): ConversationRow {
  const others = row.amendments.filter(({ seq, amendSeq }) => seq !== amendment.seq || amendSeq > amendment.amendSeq);
  return { ...row, amendments: [...others, amendment].slice(-keptAmendments) };
}

/**
 * What was stored, and what came while the storage could not be read, as one row. Of what both name, the newer is in
 * force: `held` has the server's numbers.
 */
export function joinedRow(stored: ConversationRow, held: ConversationRow): ConversationRow {
  const present = union(stored.present, held.present);
  const known = stored.epoch === held.epoch ? stored.absent : [];
  const joined = {
    ...held,
    ...(held.peer === undefined && stored.peer !== undefined ? { peer: stored.peer } : {}),
    ...(held.name === undefined && stored.name !== undefined ? { name: stored.name } : {}),
    lastSeq: Math.max(stored.lastSeq, held.lastSeq),
    readSeq: Math.max(stored.readSeq, held.readSeq),
    ...((stored.last?.seq ?? 0) > (held.last?.seq ?? 0) ? { last: stored.last, at: stored.at } : {}),
    present,
    absent: difference(union(known, held.absent), present),
    gaps: union(stored.gaps, held.gaps),
    indexed: difference(union(stored.indexed, held.indexed), present),
    bytes: stored.bytes + held.bytes,
    // An amendment of them may have come meanwhile, or lie in a hole between.
    stale: union(held.stale, difference(stored.present, held.present)),
    amendments: [...stored.amendments, ...held.amendments].slice(-keptAmendments),
  };
  return settled(stored, joined);
}
