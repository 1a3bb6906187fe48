/**
 * Whether the stream id `one` is below `other`. Both are full ids, `<ms>-<seq>`. They are compared as texts of digits,
 * because each part may be too large for a number.
 */
export function isBelow(one: string, other: string): boolean {
  const [oneMs, oneSeq] = partsOf(one);
  const [otherMs, otherSeq] = partsOf(other);
  return oneMs === otherMs ? isLess(oneSeq, otherSeq) : isLess(oneMs, otherMs);
}

function partsOf(id: string): [ms: string, seq: string] {
  const dash = id.indexOf('-');
  return [id.slice(0, dash), id.slice(dash + 1)];
}

function isLess(one: string, other: string): boolean {
  return one.length === other.length ? one < other : one.length < other.length;
}
