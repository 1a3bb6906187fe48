import type { HistoryPage, Message, SeqRange } from './wire.ts';

/** The most messages that a page of history holds. */
const pageLimit = 100;

/** What is not there of a range, in runs of at most so many seqs, rising. */
export function* missingOf(
  { fromSeq, toSeq }: SeqRange,
  has: (seq: number) => boolean,
  most = Number.POSITIVE_INFINITY,
): Generator<SeqRange> {
  for (let from = fromSeq; from <= toSeq; from++) {
    if (has(from)) continue;
    let to = from;
    while (to < toSeq && to - from + 1 < most && !has(to + 1)) to++;
    yield { fromSeq: from, toSeq: to };
    from = to;
  }
}

export type GapReadingOptions = {
  /** Asked again before every page: what comes live meanwhile is not read a second time. */
  has(seq: number): boolean;
  /** A page of history that begins at `fromSeq`, oldest first, of at most as many messages as the range has seqs. */
  read(range: SeqRange): Promise<HistoryPage>;
  /** Once for each message of the ranges that were read, and never for any other. */
  take(message: Message): void;
};

/**
 * Reads from history what is missing of a gap, and no more: a gap may cover seqs that the device has already, and when
 * it has all of them nothing is asked. Seqs that history does not give either are passed over; `absent` says which of
 * them never come.
 */
export async function readMissing(gap: SeqRange, { has, read, take }: GapReadingOptions): Promise<void> {
  let from = gap.fromSeq;
  for (;;) {
    const [range] = missingOf({ fromSeq: from, toSeq: gap.toSeq }, has, pageLimit);
    if (range === undefined) return;
    const { messages, more } = await read(range);
    for (const message of messages) if (range.fromSeq <= message.seq && message.seq <= range.toSeq) take(message);
    const last = messages.at(-1)?.seq;
    // A page speaks of everything up to its last message, and the last page of everything.
    from = (more && last !== undefined ? Math.min(Math.max(last, range.fromSeq), range.toSeq) : range.toSeq) + 1;
  }
}
