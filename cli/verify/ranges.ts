import type { SeqRange } from '../../shared/model/model.ts';

/** Sorted ranges of whole numbers that do not touch. Adding in rising order is cheap. */
export type Ranges = SeqRange[];

export function addRange(ranges: Ranges, fromSeq: number, toSeq: number): void {
  if (toSeq < fromSeq) return;
  const last = ranges.at(-1);
  if (last === undefined || fromSeq > last.toSeq + 1) ranges.push({ fromSeq, toSeq });
  else if (fromSeq >= last.fromSeq) last.toSeq = Math.max(last.toSeq, toSeq);
  else {
    const all = [...ranges, { fromSeq, toSeq }].sort((one, other) => one.fromSeq - other.fromSeq);
    ranges.length = 0;
    for (const one of all) addRange(ranges, one.fromSeq, one.toSeq);
  }
}

/** What of [fromSeq, toSeq] no range holds. */
export function uncovered(ranges: Ranges, fromSeq: number, toSeq: number): Ranges {
  const found: Ranges = [];
  let next = fromSeq;
  for (const range of ranges) {
    if (range.fromSeq > toSeq) break;
    if (range.toSeq < next) continue;
    if (range.fromSeq > next) found.push({ fromSeq: next, toSeq: range.fromSeq - 1 });
    next = range.toSeq + 1;
  }
  if (next <= toSeq) found.push({ fromSeq: next, toSeq });
  return found;
}

/** What of these ranges the others do not hold. */
export const without = (ranges: Ranges, others: Ranges): Ranges =>
  ranges.flatMap(({ fromSeq, toSeq }) => uncovered(others, fromSeq, toSeq));

export const rangeText = ({ fromSeq, toSeq }: SeqRange): string => `${fromSeq}-${toSeq}`;
