/** Arithmetic of charts: ticks, and lines with gaps. Pure. */

/**
 * Round numbers from 0 up to at least `most`, about four steps.
 * @param {number} most
 * @returns {number[]}
 */
export function valueTicks(most) {
  if (most <= 0) return [0, 1];
  const rough = most / 3;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const steps = Math.ceil(most / step - 1e-9);
  return Array.from({ length: steps + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

const minuteMs = 60_000;

/**
 * Whole minutes between two moments (ms), at most `most` of them.
 * @param {number} from
 * @param {number} to
 * @param {number} most
 * @returns {number[]}
 */
export function timeTicks(from, to, most) {
  const stepMs =
    ([1, 2, 5, 10, 15, 20, 30].find((minutes) => (to - from) / (minutes * minuteMs) <= most) ?? 60) * minuteMs;
  const ticks = [];
  for (let at = Math.ceil(from / stepMs) * stepMs; at <= to; at += stepMs) ticks.push(at);
  return ticks;
}

/**
 * The path of a line. It is broken where there is no value, and where two samples are too far apart. A sample alone is
 * a dot.
 * @param {{at: number, value: number | null}[]} points
 * @param {(at: number) => number} x
 * @param {(value: number) => number} y
 * @param {number} mostApartMs
 * @returns {string}
 */
export function linePath(points, x, y, mostApartMs) {
  let path = '';
  /** @type {number | null} */
  let before = null;
  for (const { at, value } of points) {
    if (value === null) {
      before = null;
      continue;
    }
    const place = `${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    path += before !== null && at - before <= mostApartMs ? `L${place}` : `M${place}h0`;
    before = at;
  }
  return path;
}

/**
 * The times without samples, between `from` and `now`.
 * @param {number[]} times of samples, rising
 * @param {number} from
 * @param {number} now
 * @param {number} mostApartMs
 * @returns {{from: number, to: number}[]}
 */
export function gapsIn(times, from, now, mostApartMs) {
  const edges = [...times.filter((at) => at >= from), now];
  return edges.flatMap((to, i) => {
    const before = edges[i - 1];
    return before !== undefined && to - before > mostApartMs ? [{ from: before, to }] : [];
  });
}

/**
 * Times in which something held, as spans: each sample stands for the time up to the next one.
 * @param {{at: number, value: string}[]} points
 * @param {number} everyMs
 * @returns {{from: number, to: number, value: string}[]}
 */
export function spansOf(points, everyMs) {
  /** @type {{from: number, to: number, value: string}[]} */
  const spans = [];
  for (const { at, value } of points) {
    const last = spans.at(-1);
    if (last !== undefined && last.value === value && at - last.to <= 1.5 * everyMs) last.to = at;
    else spans.push({ from: at - everyMs, to: at, value });
  }
  return spans;
}
