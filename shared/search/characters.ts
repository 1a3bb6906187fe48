/**
 * What a code point is for cutting a text into terms. Decided by ranges and general categories, not by script: `ー`
 * (U+30FC) belongs to no script, and would cut ワー in two.
 */
export const kinds = {
  /** Between words. */
  other: 0,
  /** A letter or a digit of a writing that puts spaces between words. */
  letter: 1,
  /** Belongs to the character before it. */
  mark: 2,
  /** A character of a writing without spaces between words, or whose words are looked for from their middle too. */
  unspaced: 3,
} as const;

type Range = readonly [first: number, last: number];

/** Han, kana, bopomofo, Hangul, Thai, Lao, Burmese and Khmer, marks included. Digits of these writings are letters. */
const unspacedRanges: readonly Range[] = [
  [0x0e01, 0x0e3a],
  [0x0e40, 0x0e4e],
  [0x0e81, 0x0ece],
  [0x0edc, 0x0edf],
  [0x1000, 0x103f],
  [0x1050, 0x108f],
  [0x1100, 0x11ff],
  [0x1780, 0x17d3],
  [0x3005, 0x3007],
  [0x3041, 0x3096],
  [0x309d, 0x309f],
  [0x30a1, 0x30fa],
  [0x30fc, 0x312f],
  [0x3131, 0x318e],
  [0x31a0, 0x31bf],
  [0x31f0, 0x31ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0x9fff],
  [0xa960, 0xa97c],
  [0xac00, 0xd7fb],
  [0xf900, 0xfaff],
  [0x1b000, 0x1b16f],
  [0x20000, 0x3fffd],
];

const isLetter = /^[\p{L}\p{N}]$/u;
const isMark = /^\p{M}$/u;

function lookUp(codePoint: number): number {
  for (const [first, last] of unspacedRanges) {
    if (codePoint >= first && codePoint <= last) return kinds.unspaced;
  }
  const character = String.fromCodePoint(codePoint);
  if (isLetter.test(character)) return kinds.letter;
  return isMark.test(character) ? kinds.mark : kinds.other;
}

/** Most texts consist of the first 65,536 code points. */
const basic = Uint8Array.from({ length: 0x10000 }, (_, codePoint) => lookUp(codePoint));

export const kindOf = (codePoint: number): number => (codePoint < 0x10000 ? basic[codePoint]! : lookUp(codePoint));
