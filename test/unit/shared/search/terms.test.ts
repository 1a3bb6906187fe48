import { expect, test } from 'vitest';
import { firstCharacters, termsOf } from '../../../../shared/search/terms.ts';

test.each([
  ['words', 'Hello, world! 42 times', ['hello', 'world', '42', 'times']],
  ['a Chinese run', '上海东', ['上海', '海东', '东']],
  ['one character', '海', ['海']],
  ['several writings', 'v2发布 of 上海', ['v2', '发布', '布', 'of', '上海', '海']],
  ['Japanese with its long vowel', 'タワー', ['タワ', 'ワー', 'ー']],
  ['an iteration mark', '人々', ['人々', '々']],
  ['Korean', '안녕하세', ['안녕', '녕하', '하세', '세']],
  ['Thai with its marks', 'ที่นี่', ['ที', 'ี่', '่น', 'นี', 'ี่', '่']],
  ['characters of two units', '𠮷野家', ['𠮷野', '野家', '家']],
  ['punctuation and emoji', '👍🏽 ok ❤️… ', ['ok']],
  ['nothing', ' …。！ ', []],
])('cuts %s', (_, text, terms) => {
  expect(termsOf(text)).toEqual(terms);
});

test.each([
  ['case', 'STRASSE', 'strasse'],
  ['Latin accents', 'Müller Ångström naïve', 'muller angstrom naive'],
  ['accents written as marks', 'Mu\u0308ller', 'müller'],
  ['Greek accents and the sigma at an end', 'ΟΔΌΣ', 'οδοσ'],
  ['Cyrillic', 'Ёлка Йод', 'елка иод'],
  ['full width', 'ＡＢＣ１２３', 'abc123'],
  ['half-width kana', 'ｶﾞｷﾞ', 'ガギ'],
  ['compatibility forms', '㈱①ﬁn', '(株)1fin'],
  ['joiners and soft hyphens', 'co\u00adoperate ما\u200cش', 'cooperate ماش'],
  ['the Turkish capital with a dot', 'İstanbul', 'istanbul'],
])('takes spellings for the same: %s', (_, one, other) => {
  expect(termsOf(one)).toEqual(termsOf(other));
});

test('keeps marks that change a letter outside Latin, Greek and Cyrillic', () => {
  expect(termsOf('が')).not.toEqual(termsOf('か'));
  expect(termsOf('हिन्दी')).toEqual(['हिन्दी']);
});

test('cuts a word off after 32 characters, and never within a character', () => {
  expect(termsOf('a'.repeat(40))).toEqual(['a'.repeat(32)]);
  expect(firstCharacters(`${'a'.repeat(3)}𠮷`, 4)).toBe('aaa');
  expect(firstCharacters(`${'a'.repeat(2)}𠮷`, 4)).toBe('aa𠮷');
});
