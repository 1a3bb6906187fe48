import { charts } from './chart-list.mjs';
import { createChart } from './chart.mjs';
import { make } from './dom.mjs';
import { gapsIn, spansOf } from './scale.mjs';
import { createSurgeStrip } from './surge-strip.mjs';

/**
 * @typedef {import('./chart.mjs').Sample} Sample
 * @typedef {{samples: Sample[], everyMs: number, now: number, mostApartMs: number}} Samples
 */

const minuteMs = 60_000;
const spans = [15, 30, 60];

/**
 * The curves of the last hour, with one cursor for all of them.
 * @param {HTMLElement} place where they stand
 * @param {HTMLElement} choice where the time shown is chosen
 * @param {() => Samples} read
 */
export function createCurves(place, choice, read) {
  /** @type {number | null} minutes */
  let chosen = null;
  /** @type {number | null} the time of the sample under the cursor */
  let cursorAt = null;

  const drawings = charts.map((of) => createChart(of, moveCursor));
  const strip = createSurgeStrip(moveCursor);
  place.append(...drawings.map(({ element }) => element), strip.element);

  const buttons = spans.map((span) => {
    const button = make('button', { type: 'button' }, `${span} min`);
    button.addEventListener('click', () => {
      chosen = span;
      show();
    });
    return button;
  });
  choice.append(...buttons);

  function inWindow() {
    const all = read();
    const minutes = chosen ?? fitting(all);
    const from = all.now - minutes * minuteMs;
    return { ...all, minutes, from, samples: all.samples.filter(({ at }) => at >= from) };
  }

  /** @type {import('./chart.mjs').MoveCursor} */
  function moveCursor(move) {
    const { samples } = inWindow();
    const index = samples.findIndex(({ at }) => at === cursorAt);
    const last = samples.length - 1;
    /** @param {number} to */
    const step = (to) => samples[Math.min(Math.max(to, 0), last)]?.at ?? null;
    if (move === 'none') cursorAt = null;
    else if (move === 'earlier') cursorAt = step((index < 0 ? last : index) - 1);
    else if (move === 'later') cursorAt = step(index < 0 ? last : index + 1);
    else if (move === 'first') cursorAt = step(0);
    else if (move === 'last') cursorAt = step(last);
    else cursorAt = nearest(samples, move.at);
    show();
  }

  function show() {
    const { samples, everyMs, now, mostApartMs, minutes, from } = inWindow();
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(spans[i] === minutes)));
    if (now === 0) return;
    const surging = samples.map(({ at, surge }) => ({ at, value: surge.includes('surge') ? 'surge' : 'none' }));
    const view = {
      samples,
      mostApartMs,
      window: {
        from,
        now,
        gaps: gapsIn(
          samples.map(({ at }) => at),
          from,
          now,
          mostApartMs,
        ),
        surges: spansOf(surging, everyMs).filter(({ value }) => value === 'surge'),
      },
      cursor: samples.find(({ at }) => at === cursorAt) ?? null,
    };
    for (const drawing of drawings) drawing.show(view);
    strip.show(view, everyMs);
  }

  new ResizeObserver(show).observe(place);
  return { show };
}

/**
 * The shortest of the spans that holds all samples: those of a young deployment would stand at the edge of an hour.
 * @param {Samples} of
 */
function fitting({ samples, now }) {
  const age = now - (samples[0]?.at ?? 0);
  return spans.find((span) => age <= span * minuteMs) ?? 60;
}

/** @param {Sample[]} samples @param {number} wanted @returns {number | null} */
function nearest(samples, wanted) {
  const [best] = samples.toSorted((one, other) => Math.abs(one.at - wanted) - Math.abs(other.at - wanted));
  return best?.at ?? null;
}
