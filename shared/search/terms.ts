import { kindOf, kinds } from './characters.ts';

/**
 * Cuts texts into terms, in the same way for messages and for what is searched.
 *
 * - A word of letters and digits is one term, cut off after 32 characters.
 * - A run c1 c2 … cn of Chinese, Japanese, Korean, Thai and the like gives the terms c1c2, c2c3, …, and cn. So one
 *   character is the beginning of a term, two are a term, and more are terms that follow each other: all are found
 *   wherever they stand, without false hits, with n terms for n characters.
 *
 * Case, width and the accents of Latin, Greek and Cyrillic letters do not matter. The index keeps `cutterVersion`: a
 * change of what is cut has to raise it, and every index is then made again.
 */
export const cutterVersion = 1;

/** One run: a word, or the characters of a writing without spaces. */
export type Run = { unspaced: boolean; text: string };

const mostTermCharacters = 32;

const ascii = /^[\0-\x7f]*$/;
/** Invisible: joiners, soft hyphens, direction marks, variants of a glyph. */
const invisible = /[\p{Cf}\p{Variation_Selector}]+/gu;
const accents = /([\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}])\p{M}+/gu;

/** One spelling for all that are to be found alike. */
function folded(text: string): string {
  if (ascii.test(text)) return text.toLowerCase();
  // A small sigma has another form at the end of a word.
  return text
    .normalize('NFKD')
    .replaceAll(invisible, '')
    .replaceAll(accents, '$1')
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll('ς', 'σ');
}

const lengthAt = (codePoint: number): number => (codePoint > 0xffff ? 2 : 1);

/** The runs of a text, in one pass over its code points. A mark belongs to what it follows. */
export function runsOf(text: string): Run[] {
  const source = folded(text);
  const runs: Run[] = [];
  let begin = 0;
  let open: number = kinds.other;
  const close = (end: number): void => {
    if (open !== kinds.other) runs.push({ unspaced: open === kinds.unspaced, text: source.slice(begin, end) });
    open = kinds.other;
  };
  for (let at = 0; at < source.length;) {
    const codePoint = source.codePointAt(at)!;
    const kind = kindOf(codePoint);
    if (kind !== open && !(kind === kinds.mark && open !== kinds.other)) {
      close(at);
      if (kind !== kinds.mark) open = kind;
      begin = at;
    }
    at += lengthAt(codePoint);
  }
  close(source.length);
  return runs;
}

/** The first characters of a text, without half of a surrogate pair at the end. */
export function firstCharacters(text: string, most: number): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most);
}

/** The term of a word. */
export const wordTerm = (word: string): string => firstCharacters(word, mostTermCharacters);

/** Each two neighbours of a run, and its last character alone. */
export function addPairs(text: string, terms: string[]): void {
  let before = 0;
  for (let at = lengthAt(text.codePointAt(0)!); at < text.length;) {
    const end = at + lengthAt(text.codePointAt(at)!);
    terms.push(text.slice(before, end));
    before = at;
    at = end;
  }
  terms.push(text.slice(before));
}

/** The terms of a text in their order. */
export function termsOf(text: string): string[] {
  const terms: string[] = [];
  for (const run of runsOf(text)) {
    if (run.unspaced) addPairs(run.text, terms);
    else terms.push(wordTerm(run.text));
  }
  return terms;
}
