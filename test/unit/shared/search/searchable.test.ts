import { expect, test } from 'vitest';
import { searchableText } from '../../../../shared/search/searchable.ts';

const listed = ['text', 'file', 'location'];

test.each([
  ['a body that is a string', 'text', 'hello', 'hello'],
  ['fields for people', 'location', { name: 'Bund', address: '上海', lat: 31 }, 'Bund\n上海'],
  ['text and title', 'text', { title: 'T', text: 'x', other: 'y' }, 'x\nT'],
  ['fields that are no strings', 'text', { text: 5, title: ['a'] }, ''],
  ['other bodies', 'text', 42, ''],
  ['a body that is gone', 'text', null, ''],
  ['kinds that are not listed', 'sticker', 'hello', ''],
])('takes %s', (_, kind, body, text) => {
  expect(searchableText({ kind, body }, listed)).toBe(text);
});

test('takes all kinds with `*`, but the own kinds of the server and encrypted ones', () => {
  expect(searchableText({ kind: 'sticker', body: 'a' }, ['*'])).toBe('a');
  expect(searchableText({ kind: 'restante.membership', body: 'a' }, ['*'])).toBe('');
  expect(searchableText({ kind: 'e2ee.v1', body: 'a' }, ['*', 'e2ee.v1'])).toBe('');
});

test('takes at most 4,096 characters', () => {
  expect(searchableText({ kind: 'text', body: { text: '海'.repeat(5000) } }, listed)).toBe('海'.repeat(4096));
});
