/** The texts of a line of progress: for a terminal, and for a file or pipe. */

const widestBar = 28;
/** On a narrower terminal a bar would leave no room for the text. */
const leastWidthForBar = 48;
const green = '\u001b[32m';
const plain = '\u001b[39m';

/**
 * @typedef {{done?: number, total?: number, text: string}} Work
 * @typedef {{elapsedMs: number, leftMs: number | null}} Times
 */

/**
 * How much of the work is done, from 0 to 1. Null if nobody knows.
 * @param {Work} work
 */
export function shareOf({ done = 0, total = 0 }) {
  return total > 0 ? Math.min(1, Math.max(0, done / total)) : null;
}

/**
 * `7 s`, `3 min 20 s` or `1 h 5 min`.
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/**
 * The longest beginning of a text that fits.
 * @param {string} text
 * @param {number} width
 */
function cut(text, width) {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/**
 * @param {number} share
 * @param {number} width
 * @param {boolean} colour
 */
function bar(share, width, colour) {
  const full = '#'.repeat(Math.round(share * width));
  const rest = '-'.repeat(width - full.length);
  return `[${colour ? `${green}${full}${plain}` : full}${rest}]`;
}

/**
 * One line that fits into the terminal: bar, per cent, text, and the time that is left, or that has passed.
 * @param {Work} work
 * @param {Times} times
 * @param {{width: number, colour: boolean}} terminal
 */
export function terminalLine(work, { elapsedMs, leftMs }, { width, colour }) {
  // A terminal begins a new line when its last column is written.
  const room = Math.max(1, width - 1);
  const share = shareOf(work);
  const time = leftMs === null ? `  ${duration(elapsedMs)}` : `  ${duration(leftMs)} left`;
  if (share === null) return cut(cut(work.text, Math.max(1, room - time.length)) + time, room);
  const percent = `${String(Math.floor(share * 100)).padStart(3)}%  `;
  const barWidth = width < leastWidthForBar ? 0 : Math.min(widestBar, Math.floor(width / 4));
  const drawn = barWidth === 0 ? '' : `${bar(share, barWidth, colour)} `;
  const taken = barWidth === 0 ? 0 : barWidth + 3;
  return drawn + cut(percent + cut(work.text, Math.max(1, room - taken - percent.length - time.length)) + time, room);
}

/**
 * `42%  126 of 300 users (12 s, 17 s left)`
 * @param {Work} work
 * @param {Times} times
 */
export function logLine(work, { elapsedMs, leftMs }) {
  const share = shareOf(work);
  const percent = share === null ? '' : `${Math.floor(share * 100)}%  `;
  return `${percent}${work.text} (${duration(elapsedMs)}${leftMs === null ? '' : `, ${duration(leftMs)} left`})`;
}
