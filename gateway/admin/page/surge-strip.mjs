import { draw, make } from './dom.mjs';
import { spansOf } from './scale.mjs';
import { createTimePlot, margin } from './time-plot.mjs';
import { clock, clockWithSeconds } from './words.mjs';

/**
 * @typedef {import('./chart.mjs').View} View
 * @typedef {import('./chart.mjs').Sample} Sample
 */

const rowHeight = 20;
/** With more partitions than this, only those are drawn that were not always calm. */
const mostRows = 8;
/** The height of a state's band says as much as its colour. */
const heights = /** @type {Record<string, number>} */ ({ calm: 2, rising: 8, surge: 16, settling: 8 });

/** @param {Sample} sample */
const statesIn = ({ surge }) => {
  const counts = new Map();
  for (const state of surge) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, partitions]) => `${state} ${partitions}`).join(', ');
};

/**
 * The surge states of partitions over time, a row each.
 * @param {import('./chart.mjs').MoveCursor} moveCursor
 */
export function createSurgeStrip(moveCursor) {
  const title = 'Surge states';
  const plot = createTimePlot(title, moveCursor);
  const now = make('p', { class: 'legend' });
  const summary = make('p', { class: 'small quiet' });
  const element = make(
    'figure',
    { class: 'card chart wide' },
    make('figcaption', {}, make('h3', {}, title), summary),
    now,
    plot.element,
  );

  return {
    element,
    /** @param {View} view @param {number} everyMs */
    show({ samples, window, cursor }, everyMs) {
      const partitions = samples.at(-1)?.surge.length ?? 0;
      const rows = Array.from({ length: partitions }, (_, partition) => ({
        partition,
        spans: spansOf(
          samples.map(({ at, surge }) => ({ at, value: surge[partition] ?? 'calm' })),
          everyMs,
        ),
      }));
      const restless = rows.filter(({ spans }) => spans.some(({ value }) => value !== 'calm'));
      const drawn = (partitions <= mostRows ? rows : restless).slice(0, mostRows);
      const surges = restless.flatMap(({ partition, spans }) =>
        spans.filter(({ value }) => value === 'surge').map((span) => ({ partition, ...span })),
      );
      summary.textContent =
        surges.length === 0
          ? 'No partition was in a surge in this time.'
          : `Surges: ${surges
              .slice(0, 6)
              .map(({ partition, from, to }) => `partition ${partition} from ${clock(from)} to ${clock(to)}`)
              .join('; ')}${surges.length > 6 ? '; …' : ''}.`;

      plot.show(window, margin.top + margin.bottom + Math.max(drawn.length, 1) * rowHeight, () =>
        drawn.flatMap(({ partition, spans }, i) => {
          const middle = margin.top + (i + 0.5) * rowHeight;
          return [
            draw('text', { x: margin.start - 6, y: middle + 4, 'text-anchor': 'end' }, String(partition)),
            ...spans
              .filter(({ to }) => to > window.from)
              .map(({ from, to, value }) => {
                const start = Math.max(plot.x(from), margin.start);
                const band = heights[value] ?? 2;
                return draw('rect', {
                  class: `state ${value}`,
                  x: start.toFixed(1),
                  y: middle - band / 2,
                  width: Math.max(plot.x(to) - start, 1).toFixed(1),
                  height: band,
                });
              }),
          ];
        }),
      );
      const sample = cursor ?? samples.at(-1);
      now.textContent = sample === undefined ? 'No samples yet.' : statesIn(sample);
      plot.point(cursor === null ? null : cursor.at, {
        index: sample === undefined ? 0 : samples.indexOf(sample),
        last: Math.max(samples.length - 1, 0),
        text: sample === undefined ? 'no samples yet' : `${clockWithSeconds(sample.at)}, ${statesIn(sample)}`,
      });
    },
  };
}
