/**
 * Texts for the search index, always the same: four of five are Chinese, one is English. Words are made of common
 * characters, and few words are most of a text, as in real ones (Zipf).
 */
const words = 6000;
const characters = 2500;

/** A generator of Numerical Recipes: the same numbers in every run. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

export function createTexts(seed = 1) {
  const random = createRandom(seed);
  /** A rank from 0, where rank n comes about 1/(n+1) as often as the first. */
  const zipf = (most: number): number => Math.floor(most ** random()) - 1;
  const wordOf = (length: number): string =>
    String.fromCodePoint(...Array.from({ length }, () => 0x4e00 + zipf(characters)));
  const chinese = Array.from({ length: words }, () => wordOf([1, 2, 2, 2, 2, 3, 4][Math.floor(random() * 7)]!));
  const english = Array.from({ length: words }, () =>
    Array.from({ length: 2 + Math.floor(random() * 8) }, () => String.fromCodePoint(97 + zipf(26))).join(''),
  );
  const some = (from: readonly string[], between: string): string => {
    const count = 6 + Math.floor(random() * 12);
    return Array.from({ length: count }, () => from[zipf(words)]!).join(between);
  };
  return {
    random,
    /** About 75 bytes. */
    text: (): string =>
      random() < 0.8 ? `${some(chinese, '')}，${some(chinese, '').slice(0, 8)}。` : some(english, ' '),
    /** So many characters that stand together in a text. */
    part(length: number): string {
      for (;;) {
        const text = some(chinese, '');
        const at = Math.floor(random() * Math.max(1, text.length - length));
        if (text.length >= length) return text.slice(at, at + length);
      }
    },
  };
}
