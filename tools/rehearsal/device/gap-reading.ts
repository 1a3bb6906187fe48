import type { HistoryPage, Message, SeqRange } from '../../../sdk/src/wire.ts';

export type GapReading = {
  /** Asked again before every page: what comes live meanwhile is not read a second time. */
  has(seq: number): boolean;
  /** A page of history that begins at `fromSeq`, oldest first, of at most as many messages as the range has seqs. */
  read(range: SeqRange): Promise<HistoryPage>;
  /** Once for each message of the ranges that were read, and never for any other. */
  take(message: Message): void;
};

/** The most messages that a page of history holds. */
const pageLimit = 100;

/** The first seqs of a range that are not there, in one run and for one page. */
function firstMissing({ fromSeq, toSeq }: SeqRange, has: (seq: number) => boolean): SeqRange | null {
  let from = fromSeq;
  while (from <= toSeq && has(from)) from++;
  if (from > toSeq) return null;
  let to = from;
  while (to < toSeq && to - from + 1 < pageLimit && !has(to + 1)) to++;
  return { fromSeq: from, toSeq: to };
}

/**
 * Reads from history what is missing of a gap, and no more: a gap may cover seqs that the device has already. Seqs that
 * history does not give either are passed over.
 */
export async function readMissing(gap: SeqRange, { has, read, take }: GapReading): Promise<void> {
  for (let from = gap.fromSeq; ;) {
    const range = firstMissing({ fromSeq: from, toSeq: gap.toSeq }, has);
    if (range === null) return;
    const { messages, more } = await read(range);
    for (const message of messages) if (range.fromSeq <= message.seq && message.seq <= range.toSeq) take(message);
    const last = messages.at(-1)?.seq;
    // A page speaks of everything up to its last message, and the last page of everything.
    from = (more && last !== undefined ? Math.min(Math.max(last, range.fromSeq), range.toSeq) : range.toSeq) + 1;
  }
}
