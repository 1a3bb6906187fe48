import type { SeqRange, Span } from './model.ts';

/** Ranges are inclusive and rising; an empty one (to below from) is dropped. */

/** The parts of a range that the spans show. */
export const withinSpans = ({ fromSeq, toSeq }: SeqRange, spans: readonly Span[]): SeqRange[] =>
  spans
    .map(({ joined, left }) => ({ fromSeq: Math.max(fromSeq, joined + 1), toSeq: Math.min(toSeq, left ?? toSeq) }))
    .filter((range) => range.fromSeq <= range.toSeq);

/** The ranges without the seqs of `removed`, which is rising too. */
export function without(ranges: readonly SeqRange[], removed: readonly SeqRange[]): SeqRange[] {
  const left: SeqRange[] = [];
  for (const range of ranges) {
    let { fromSeq } = range;
    for (const hole of removed) {
      if (hole.toSeq < fromSeq) continue;
      if (hole.fromSeq > range.toSeq) break;
      if (hole.fromSeq > fromSeq) left.push({ fromSeq, toSeq: hole.fromSeq - 1 });
      fromSeq = hole.toSeq + 1;
    }
    if (fromSeq <= range.toSeq) left.push({ fromSeq, toSeq: range.toSeq });
  }
  return left;
}

/** The seqs of a range, one after the other. */
export function* seqsOf({ fromSeq, toSeq }: SeqRange, rising: boolean): Generator<number> {
  if (rising) for (let seq = fromSeq; seq <= toSeq; seq++) yield seq;
  else for (let seq = toSeq; seq >= fromSeq; seq--) yield seq;
}
