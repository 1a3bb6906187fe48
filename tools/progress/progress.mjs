/**
 * Shows what a command is doing if that takes longer than two seconds. It writes to stderr, so stdout holds only the
 * command's answer. On a terminal it is one line that is drawn again in its place; elsewhere a line every few seconds.
 *
 * Plain JavaScript, because the launcher shows progress too, before there is a Node that runs TypeScript.
 */
import { logLine, shareOf, terminalLine } from './line.mjs';

const silentMs = 2000;
const redrawMs = 100;
const logEveryMs = 5000;
/** The first moments say little about how long the rest takes, and the first things that are done. */
const leastForEstimateMs = 2000;
const leastShareForEstimate = 0.02;
const usualWidth = 80;
const clearLine = '\r\u001b[K';

/**
 * @typedef {import('./line.mjs').Work} Work
 * @typedef {string | (() => string | Work) | null} CurrentActivity
 * @typedef {{write(text: string): unknown, isTTY?: boolean, columns?: number}} Output
 */

/**
 * @param {CurrentActivity} activity
 * @returns {Work}
 */
function workOf(activity) {
  const now = typeof activity === 'function' ? activity() : (activity ?? '');
  return typeof now === 'string' ? { text: now } : now;
}

/**
 * Work of which the duration is known: it is done when the time is over.
 * @param {number} totalMs
 * @param {string} text
 */
export function during(totalMs, text) {
  const startedAt = performance.now();
  return () => ({ done: performance.now() - startedAt, total: totalMs, text });
}

/**
 * Lines of the command's answer on the same terminal take the place of the line of progress.
 * @param {{write: Function}} stream
 * @param {() => void} clear
 * @returns {() => void} what ends this
 */
function clearBeforeWrites(stream, clear) {
  const { write } = stream;
  stream.write = (/** @type {unknown[]} */ ...args) => {
    clear();
    return write.apply(stream, args);
  };
  return () => {
    stream.write = write;
  };
}

/**
 * @param {Output} out stderr
 * @param {{beside?: Output, env?: NodeJS.ProcessEnv}} [options] `beside`: stdout, which may be the same terminal
 */
export function createProgress(out, { beside, env = {} } = {}) {
  const inPlace = out.isTTY === true && env['TERM'] !== 'dumb';
  const colour = inPlace && !env['NO_COLOR'];
  /** @type {CurrentActivity} */
  let current = null;
  let startedAt = 0;
  let doneAtStart = 0;
  let drawn = false;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;

  const clear = () => {
    if (drawn) out.write(clearLine);
    drawn = false;
  };
  const restore = inPlace && beside?.isTTY === true ? clearBeforeWrites(beside, clear) : () => {};

  /** @param {Work} work */
  function timesOf(work) {
    const elapsedMs = performance.now() - startedAt;
    const share = shareOf(work);
    const made = (work.done ?? 0) - doneAtStart;
    const isKnown =
      share !== null && made >= leastShareForEstimate * (work.total ?? 0) && elapsedMs >= leastForEstimateMs;
    return { elapsedMs, leftMs: isKnown ? (elapsedMs / made) * ((work.total ?? 0) * (1 - share)) : null };
  }

  function show() {
    timer = setTimeout(show, inPlace ? redrawMs : logEveryMs).unref();
    const work = workOf(current);
    if (inPlace) {
      // 0: a terminal that does not know its size.
      const terminal = { width: out.columns || usualWidth, colour };
      out.write(`\r${terminalLine(work, timesOf(work), terminal)}\u001b[K`);
      drawn = true;
    } else out.write(`${logLine(work, timesOf(work))}\n`);
  }

  /** @param {CurrentActivity} activity */
  function doing(activity) {
    current = activity;
    if (activity === null) {
      clearTimeout(timer);
      timer = undefined;
      clear();
      return;
    }
    startedAt = performance.now();
    doneAtStart = workOf(activity).done ?? 0;
    timer ??= setTimeout(show, silentMs).unref();
  }

  return {
    doing,

    /** @param {string} text */
    say(text) {
      clear();
      out.write(`${text}\n`);
    },

    end() {
      doing(null);
      restore();
    },
  };
}
