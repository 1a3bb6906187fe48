import type { SeqRange } from '../wire.ts';

/**
 * Sets of seqs as sorted ranges that neither touch nor overlap. A pair of a lowest and a highest seq would take
 * everything between for present after one jump. All functions leave their arguments as they are.
 */
export type Ranges = readonly SeqRange[];

/** `ranges` and everything from `fromSeq` to `toSeq`. */
export function withRange(ranges: Ranges, { fromSeq, toSeq }: SeqRange): Ranges {
  if (fromSeq > toSeq) return ranges;
  const last = ranges.at(-1);
  // Most of what comes is at the end.
  if (last === undefined || fromSeq > last.toSeq + 1) return [...ranges, { fromSeq, toSeq }];
  if (fromSeq > last.toSeq) return ranges.with(-1, { fromSeq: last.fromSeq, toSeq });
  const before = ranges.filter((one) => one.toSeq < fromSeq - 1);
  const after = ranges.filter((one) => one.fromSeq > toSeq + 1);
  const joined = ranges.slice(before.length, ranges.length - after.length);
  const merged = {
    fromSeq: Math.min(fromSeq, joined[0]?.fromSeq ?? fromSeq),
    toSeq: Math.max(toSeq, joined.at(-1)?.toSeq ?? toSeq),
  };
  return [...before, merged, ...after];
}

/** `ranges` without anything from `fromSeq` to `toSeq`: the same object if nothing of it was there. */
export function withoutRange(ranges: Ranges, { fromSeq, toSeq }: SeqRange): Ranges {
  if (ranges.length === 0 || fromSeq > toSeq || !ranges.some((one) => one.fromSeq <= toSeq && one.toSeq >= fromSeq))
    return ranges;
  return ranges
    .flatMap((one) => [
      { fromSeq: one.fromSeq, toSeq: Math.min(one.toSeq, fromSeq - 1) },
      { fromSeq: Math.max(one.fromSeq, toSeq + 1), toSeq: one.toSeq },
    ])
    .filter((part) => part.fromSeq <= part.toSeq);
}

export const union = (one: Ranges, other: Ranges): Ranges => other.reduce(withRange, one);

export const difference = (one: Ranges, other: Ranges): Ranges => other.reduce(withoutRange, one);

/** Most of what is asked for lies above all that is there. */
export const holds = (ranges: Ranges, seq: number): boolean =>
  ranges.length > 0 && seq <= ranges.at(-1)!.toSeq && ranges.some((one) => one.fromSeq <= seq && seq <= one.toSeq);

/** What of `within` is not there. */
export const missingIn = (within: SeqRange, ranges: Ranges): Ranges =>
  within.fromSeq > within.toSeq ? [] : difference([within], ranges);

export const sizeOf = (ranges: Ranges): number =>
  ranges.reduce((sum, { fromSeq, toSeq }) => sum + toSeq - fromSeq + 1, 0);
