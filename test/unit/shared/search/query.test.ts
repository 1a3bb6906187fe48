import { expect, test } from 'vitest';
import { matches, parseQuery } from '../../../../shared/search/query.ts';
import { termsOf } from '../../../../shared/search/terms.ts';

const finds = (q: string, text: string): boolean => matches(parseQuery(q), termsOf(text));

test.each([
  [
    '我家在上海东边',
    ['海', '上海', '上海东', '海东', '东边', '我', '边', '我家在上海东边'],
    ['上东', '海上', '边东', '海边'],
  ],
  ['東京タワー', ['ワー', 'タワー', '京タ', 'ー'], ['ワ東']],
  ['안녕하세요', ['하세', '요', '안녕'], ['세하']],
  ['สวัสดีครับ', ['ดี', 'สวัสดี', 'ครับ'], ['ครัว']],
  ['Herr Müller kommt', ['mull', 'MÜLLER', 'herr müller', 'kommt herr'], ['uller', 'mullers']],
  ['ＡＢＣ１２３', ['abc', 'ABC123', 'ａｂｃ'], ['123']],
  ['price: 40.5 EUR', ['40.5', 'eur', '40'], ['40.6', '4.5']],
])('finds in %s', (text, found, missed) => {
  expect(found.filter((q) => !finds(q, text))).toEqual([]);
  expect(missed.filter((q) => finds(q, text))).toEqual([]);
});

test('wants every word, in any order, and a phrase in its order', () => {
  const text = 'the quick brown fox 在上海 jumps';
  expect(finds('fox quick', text)).toBe(true);
  expect(finds('fox slow', text)).toBe(false);
  expect(finds('"quick brown"', text)).toBe(true);
  expect(finds('"brown quick"', text)).toBe(false);
  expect(finds('"quick br"', text)).toBe(true);
  expect(finds('"qui brown"', text)).toBe(false);
  expect(finds('“brown fox” 上海', text)).toBe(true);
  expect(finds('"brown fox', text)).toBe(true);
  expect(finds('"海 jumps"', text)).toBe(true);
  expect(finds('"上 jumps"', text)).toBe(false);
  expect(finds('"fox 在"', text)).toBe(true);
  expect(finds('"fox 上"', text)).toBe(false);
  expect(finds('fox在上', text)).toBe(true);
});

test.each([
  ['', /a letter, a digit or an ideograph/],
  ['  …👍 "" ', /a letter, a digit or an ideograph/],
  ['a b c d e f g h i', /at most 8 words/],
  ['"a b c d e f g h" i', /at most 8 words/],
  ['a'.repeat(129), /at most 128 characters/],
])('refuses %j', (q, message) => {
  expect(() => parseQuery(q)).toThrow(message);
  expect(() => parseQuery(q)).toThrow(expect.objectContaining({ code: 'bad_request' }));
});

test('takes 8 words and 128 characters', () => {
  expect(parseQuery('a b c d e f g h')).toHaveLength(8);
  expect(parseQuery('a'.repeat(128))).toHaveLength(1);
});
