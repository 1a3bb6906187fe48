/** Figures in words. */

/** @param {number} value */
export const count = (value) => value.toLocaleString('en');

/** @param {number} value @param {string} noun in the singular */
export const counted = (value, noun) => `${count(value)} ${noun}${value === 1 ? '' : 's'}`;

/** @param {number} value a second */
export const rate = (value) => `${count(value)}/s`;

/** @param {number | null} value ms; null: nothing was measured */
export const duration = (value) =>
  value === null ? '–' : value < 1000 ? `${count(value)} ms` : `${count(Math.round(value / 100) / 10)} s`;

const byteUnits = ['B', 'kB', 'MB', 'GB', 'TB'];

/** @param {number} value */
export function bytes(value) {
  const power = value < 1 ? 0 : Math.min(Math.floor(Math.log10(value) / 3), byteUnits.length - 1);
  const scaled = value / 1000 ** power;
  return `${scaled >= 10 ? Math.round(scaled) : Math.round(scaled * 10) / 10} ${byteUnits[power]}`;
}

/** @param {number} at ms since 1970 */
export const clock = (at) => new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });

/** @param {number} at ms since 1970 */
export const clockWithSeconds = (at) => new Date(at).toLocaleTimeString('en-GB');
