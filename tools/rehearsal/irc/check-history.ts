import type { HistoryPage } from '../../../sdk/src/wire.ts';
import type { SeqRange } from '../../../shared/model/model.ts';
import { covers, seqsOf, type Visible } from './spans.ts';

/** The whole history of a conversation as one user reads it, page by page, in one direction. */
export type HistoryWalk = {
  user: string;
  order: 'oldest' | 'newest';
  /** Each page with the exclusive bound of its request; null: from the end. */
  pages: { bound: number | null; page: HistoryPage }[];
};

/**
 * A page must list every seq of its range exactly once and in order, as a message or as absent. The pages together must
 * show exactly the messages that the user may see, unchanged.
 */
export function checkWalk(
  walk: HistoryWalk,
  visible: Visible,
  texts: ReadonlyMap<number, string>,
  report: (detail: string, seq?: number) => void,
): void {
  const oldest = walk.order === 'oldest';
  const lastVisible = visible.at(-1)?.toSeq ?? 0;
  const shown = new Map<number, string>();

  for (const { bound, page } of walk.pages) {
    let previous = oldest ? 0 : Number.POSITIVE_INFINITY;
    const here = new Set<number>();
    for (const message of page.messages) {
      if (oldest ? message.seq <= previous : message.seq >= previous)
        report(`${walk.order} first: not in order`, message.seq);
      previous = message.seq;
      if (shown.has(message.seq)) report(`${walk.order} first: shown twice`, message.seq);
      shown.set(message.seq, JSON.stringify(message));
      here.add(message.seq);
      if (covers(page.absent, message.seq)) report(`${walk.order} first: shown and named absent`, message.seq);
    }
    const range = rangeOf(walk.order, bound, page, lastVisible);
    for (const seq of seqsOf([range])) {
      if (!here.has(seq) && !covers(page.absent, seq))
        report(`${walk.order} first: neither shown nor named absent`, seq);
    }
  }
  for (const [seq, text] of shown) {
    if (!covers(visible, seq)) report(`${walk.order} first: shown outside the membership`, seq);
    else if (texts.get(seq) !== text) report(`${walk.order} first: differs from the conversation`, seq);
  }
  for (const seq of seqsOf(visible)) {
    if (texts.has(seq) && !shown.has(seq)) report(`${walk.order} first: missing`, seq);
  }
}

/**
 * The range that a page must account for: from its bound to its last message. On the last page, to the end of the
 * conversation.
 */
function rangeOf(order: 'oldest' | 'newest', bound: number | null, page: HistoryPage, lastVisible: number): SeqRange {
  const last = page.messages.at(-1)?.seq;
  if (order === 'oldest') {
    const toSeq = page.more ? (last ?? 0) : lastVisible;
    return { fromSeq: (bound ?? 0) + 1, toSeq };
  }
  const fromSeq = page.more ? (last ?? Number.POSITIVE_INFINITY) : 1;
  return { fromSeq, toSeq: bound === null ? lastVisible : Math.min(bound - 1, lastVisible) };
}
