import { badRequest } from '../model/errors.ts';
import { addPairs, type Run, runsOf, wordTerm } from './terms.ts';

/** Terms that follow each other. `open`: of the last one only the beginning is given. */
export type Phrase = { terms: string[]; open: boolean };

/** What must all occur in a message that is found. */
export type Query = Phrase[];

export const queryLimits = { characters: 128, words: 8 } as const;

/** Splits at spaces, but for those between quotes. A quote that is not closed goes to the end. */
const parts = /["“”„«»＂]([^"“”„«»＂]*)(?:["“”„«»＂]|$)|[^\s"“”„«»＂]+/gu;

/**
 * The terms of a phrase. A run in its middle must be there as a whole. Of an unspaced run the first characters may be
 * missing if it is the first, and the last ones if it is the last. Of a word only the end may be missing.
 */
function phraseOf(runs: readonly Run[]): Phrase {
  const terms: string[] = [];
  let open = false;
  for (const [i, { unspaced, text }] of runs.entries()) {
    if (!unspaced) {
      terms.push(wordTerm(text));
      open = true;
      continue;
    }
    const pairs: string[] = [];
    addPairs(text, pairs);
    // The last term of a run says that the run ends there, which only the next run of the phrase can claim.
    open = pairs.length === 1;
    if (i === runs.length - 1 && pairs.length > 1) pairs.pop();
    terms.push(...pairs);
  }
  return { terms, open };
}

/**
 * What a user wants to find. Words must all occur, and those between quotes must follow each other. Throws
 * `bad_request` if there is nothing to look for, or too much.
 */
export function parseQuery(text: string): Query {
  if (text.length > queryLimits.characters)
    throw badRequest(`q: must have at most ${queryLimits.characters} characters`);
  let words = 0;
  const query: Query = [];
  for (const [whole, quoted] of text.matchAll(parts)) {
    const runs = runsOf(quoted ?? whole);
    if (runs.length === 0) continue;
    words += quoted === undefined ? 1 : quoted.trim().split(/\s+/u).length;
    query.push(phraseOf(runs));
  }
  if (query.length === 0) throw badRequest('q: must hold a letter, a digit or an ideograph');
  if (words > queryLimits.words) throw badRequest(`q: must have at most ${queryLimits.words} words`);
  return query;
}

function occurs({ terms, open }: Phrase, among: readonly string[]): boolean {
  const last = terms.length - 1;
  const fits = (from: number): boolean =>
    terms.every((term, i) => {
      const found = among[from + i];
      return found !== undefined && (i === last && open ? found.startsWith(term) : found === term);
    });
  for (let from = 0; from + last < among.length; from++) if (fits(from)) return true;
  return false;
}

/** Whether the terms of a text are what is searched: the same answer as the index gives. */
export const matches = (query: Query, terms: readonly string[]): boolean =>
  query.every((phrase) => occurs(phrase, terms));
