import type { Words } from './english.ts';

/** Times, days and counts as people of a language write them. */
export type Formats = {
  count(value: number): string;
  /** Hours and minutes. */
  time(at: number): string;
  /** The heading of a day: today, yesterday, or its date. */
  day(at: number, now: number): string;
  /** In a list: the time of today, the weekday of this week, or the date. */
  short(at: number, now: number): string;
  /** Everything, for a tooltip. */
  full(at: number): string;
  /** Names in a row. */
  list(names: readonly string[]): string;
};

const dayMs = 86_400_000;

/** Midnight of the day of a moment, here. */
export const startOfDay = (at: number): number => new Date(at).setHours(0, 0, 0, 0);

/** Whole days between two moments; days of 23 or 25 hours count as one. */
const daysBetween = (at: number, now: number): number => Math.round((startOfDay(now) - startOfDay(at)) / dayMs);

/** Browsers take milliseconds for each format: it is made when it is first used, not before the first screen. */
const lazy = <Format>(make: () => Format): (() => Format) => {
  let made: Format | undefined;
  return () => (made ??= make());
};

export function createFormats(tag: string, words: Words): Formats {
  const of = (options: Intl.DateTimeFormatOptions) => lazy(() => new Intl.DateTimeFormat(tag, options));
  const numbers = lazy(() => new Intl.NumberFormat(tag));
  const time = of({ hour: '2-digit', minute: '2-digit' });
  const weekday = of({ weekday: 'short' });
  const date = of({ day: 'numeric', month: 'short' });
  const dateOfYear = of({ day: 'numeric', month: 'short', year: 'numeric' });
  const day = of({ weekday: 'long', day: 'numeric', month: 'long' });
  const full = of({ dateStyle: 'full', timeStyle: 'medium' });
  const names = lazy(() => new Intl.ListFormat(tag));
  const sameYear = (at: number, now: number): boolean => new Date(at).getFullYear() === new Date(now).getFullYear();
  return {
    count: (value) => numbers().format(value),
    time: (at) => time().format(at),
    day(at, now) {
      const days = daysBetween(at, now);
      if (days === 0) return words.today;
      if (days === 1) return words.yesterday;
      return sameYear(at, now) ? day().format(at) : dateOfYear().format(at);
    },
    short(at, now) {
      const days = daysBetween(at, now);
      if (days <= 0) return time().format(at);
      if (days < 7) return weekday().format(at);
      return sameYear(at, now) ? date().format(at) : dateOfYear().format(at);
    },
    full: (at) => full().format(at),
    list: (all) => names().format(all),
  };
}
