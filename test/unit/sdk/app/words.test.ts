import { describe, expect, test } from 'vitest';
import { languageOf, preferred } from '../../../../sdk/app/words/language.ts';

describe.each(['en', 'zh'] as const)('the texts in %s', (code) => {
  const { words } = languageOf(code);
  test('say something everywhere, and name what they are about', () => {
    const shown = Object.entries(words).map(([key, text]) => ({
      key,
      says: (typeof text === 'string' ? text : text('ONE', 'TWO')).trim(),
      names: typeof text === 'function',
    }));
    expect(shown.filter(({ says }) => says === '')).toEqual([]);
    expect(shown.filter(({ says, names }) => names && !says.includes('ONE'))).toEqual([]);
  });
});

test('the first language that the app speaks is taken', () => {
  expect(preferred(['fr-FR', 'zh-TW', 'en'])).toBe('zh');
  expect(preferred(['de'])).toBe('en');
  expect(preferred([])).toBe('en');
});

test('days are told as people say them, also where a day has 23 hours', () => {
  const { formats, words } = languageOf('en', ['en-GB']);
  const now = new Date(2026, 2, 30, 9).getTime();
  const at = (...parts: [number, number, number, number]) => new Date(...parts).getTime();
  expect(formats.day(at(2026, 2, 30, 0), now)).toBe(words.today);
  expect(formats.day(at(2026, 2, 29, 23), now)).toBe(words.yesterday);
  expect(formats.day(at(2026, 2, 28, 1), now)).toBe('Saturday 28 March');
  expect(formats.day(at(2025, 2, 28, 1), now)).toBe('28 Mar 2025');
  expect(formats.short(at(2026, 2, 30, 8), now)).toBe('08:00');
  expect(formats.short(at(2026, 2, 26, 8), now)).toBe('Thu');
  expect(languageOf('zh').formats.day(at(2026, 2, 28, 1), now)).toContain('3月28日');
});
