import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matches, parseQuery } from '../../../../shared/search/query.ts';
import { runsOf, termsOf } from '../../../../shared/search/terms.ts';
import { always } from '../../../support/properties.ts';

const finds = (q: string, text: string): boolean => matches(parseQuery(q), termsOf(text));

/** Few characters, so that they come again. */
const han = fc.array(fc.constantFrom('上', '海', '东', '𠮷'), { minLength: 1, maxLength: 12 });
const word = fc.string({ unit: fc.constantFrom('a', 'b', '1'), minLength: 1, maxLength: 6 });
const mixed = fc.array(
  fc.oneof(
    word,
    han.map((run) => run.join('')),
    fc.constantFrom(' ', '-', '。', '👍'),
  ),
  {
    maxLength: 12,
  },
);

test('finds in a run exactly the parts that it holds', () => {
  always(
    fc.property(han, han, (text, asked) => {
      expect(finds(asked.join(''), text.join(''))).toBe(text.join('').includes(asked.join('')));
    }),
  );
});

test('finds exactly the beginnings of words', () => {
  always(
    fc.property(fc.array(word, { minLength: 1, maxLength: 6 }), word, (words, asked) => {
      expect(finds(asked, words.join(' '))).toBe(words.some((one) => one.startsWith(asked)));
    }),
  );
});

test('finds a whole text by itself, as words and as a phrase', () => {
  always(
    fc.property(mixed, (parts) => {
      const text = parts.join('');
      fc.pre(runsOf(text).length > 0 && text.split(/\s+/u).length <= 8 && text.length <= 126);
      expect(finds(text, text)).toBe(true);
      expect(finds(`"${text}"`, `before ${text} after`)).toBe(true);
    }),
  );
});

test('cuts any text, and the same whatever its case', () => {
  always(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const terms = termsOf(text);
      for (const term of terms) {
        expect(term).not.toBe('');
        expect(term).not.toMatch(/[\0-/:-@[-`{-\x7f]/);
      }
    }),
  );
  always(
    fc.property(mixed, (parts) => {
      const text = parts.join('');
      expect(termsOf(text.toUpperCase())).toEqual(termsOf(text));
      expect(termsOf(text.normalize('NFD'))).toEqual(termsOf(text));
    }),
  );
});
