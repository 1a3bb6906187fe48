import { chinese } from './chinese.ts';
import { english, type Words } from './english.ts';
import { createFormats, type Formats } from './formats.ts';

export type LanguageCode = 'en' | 'zh';

/** A language of the app: its texts, and how it writes times and counts. */
export type Language = { code: LanguageCode; tag: string; words: Words; formats: Formats };

/** In their own names, so that everybody finds theirs. */
export const languageNames: Record<LanguageCode, string> = { en: 'English', zh: '中文' };

const texts: Record<LanguageCode, Words> = { en: english, zh: chinese };
const tags: Record<LanguageCode, string> = { en: 'en', zh: 'zh-CN' };

export const isLanguage = (code: unknown): code is LanguageCode => code === 'en' || code === 'zh';

/** The first language of the user that the app speaks; English if there is none. */
export function preferred(wanted: readonly string[]): LanguageCode {
  for (const tag of wanted) {
    const code = tag.slice(0, 2).toLowerCase();
    if (isLanguage(code)) return code;
  }
  return 'en';
}

/** `wanted`: the user's own tags; dates follow the region of the first that is of this language. */
export function languageOf(code: LanguageCode, wanted: readonly string[] = []): Language {
  const tag = wanted.find((one) => one.toLowerCase().startsWith(code)) ?? tags[code];
  return { code, tag: tags[code], words: texts[code], formats: createFormats(tag, texts[code]) };
}
