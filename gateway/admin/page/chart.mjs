import { draw, make } from './dom.mjs';
import { linePath, valueTicks } from './scale.mjs';
import { createTimePlot, margin } from './time-plot.mjs';
import { clock, clockWithSeconds } from './words.mjs';

/**
 * @typedef {import('./sample-store.mjs').Sample} Sample
 * @typedef {{name: string, value: (sample: Sample) => number | null}} Series
 * @typedef {Parameters<typeof createTimePlot>[1]} MoveCursor
 * @typedef {{
 *   samples: Sample[], mostApartMs: number, window: import('./time-plot.mjs').Window, cursor: Sample | null,
 * }} View what all drawings show
 */

const height = 150;

/**
 * Curves of a few series on one axis. Under the title stand their values as text: those at the cursor or the newest,
 * and the highest ones with their time.
 * @typedef {{
 *   title: string, format: (value: number) => string, series: (samples: Sample[]) => Series[], note?: string,
 * }} ChartOf `series` may depend on the samples; at most four are drawn
 * @param {ChartOf} of
 * @param {MoveCursor} moveCursor
 */
export function createChart({ title, format, series: seriesOf, note = '' }, moveCursor) {
  const plot = createTimePlot(title, moveCursor);
  const legend = make('ul', { class: 'legend' });
  const element = make(
    'figure',
    { class: 'card chart' },
    make('figcaption', {}, make('h3', {}, title), ...(note === '' ? [] : [make('p', { class: 'small quiet' }, note)])),
    legend,
    plot.element,
  );

  /** @param {number | null | undefined} value */
  const said = (value) => (value === null || value === undefined ? '–' : format(value));

  return {
    element,
    /** @param {View} view */
    show({ samples, mostApartMs, window, cursor }) {
      const series = seriesOf(samples).slice(0, 4);
      const lines = series.map(({ value }) => samples.map((sample) => ({ at: sample.at, value: value(sample) })));
      const ticks = valueTicks(Math.max(0, ...lines.flat().map(({ value }) => value ?? 0)));
      const most = /** @type {number} */ (ticks.at(-1));

      plot.show(window, height, (size) => {
        const bottom = size.height - margin.bottom;
        /** @param {number} value */
        const y = (value) => bottom - ((bottom - margin.top) * value) / most;
        return [
          ...ticks.flatMap((tick) => [
            draw('line', { class: 'grid', x1: margin.start, x2: size.width - margin.end, y1: y(tick), y2: y(tick) }),
            draw('text', { x: margin.start - 6, y: y(tick) + 4, 'text-anchor': 'end' }, format(tick)),
          ]),
          ...lines.map((points, i) =>
            draw('path', { class: `line series-${i + 1}`, d: linePath(points, plot.x, y, mostApartMs) }),
          ),
        ];
      });

      const sample = cursor ?? samples.at(-1);
      legend.replaceChildren(
        ...series.map(({ name, value }, i) => {
          const highest = lines[i]?.reduce(
            (best, point) => ((point.value ?? -1) > (best?.value ?? -1) ? point : best),
            /** @type {{at: number, value: number | null} | undefined} */ (undefined),
          );
          const highestText = highest === undefined ? '' : `max ${said(highest.value)} at ${clock(highest.at)}`;
          return make(
            'li',
            {},
            draw(
              'svg',
              { class: 'key', viewBox: '0 0 24 8', 'aria-hidden': 'true' },
              draw('path', { class: `line series-${i + 1}`, d: 'M1 4H23' }),
            ),
            make('span', {}, name),
            make('b', {}, sample === undefined ? '–' : said(value(sample))),
            make('span', { class: 'small quiet' }, highestText),
          );
        }),
      );
      plot.point(cursor === null ? null : cursor.at, {
        index: sample === undefined ? 0 : samples.indexOf(sample),
        last: Math.max(samples.length - 1, 0),
        text:
          sample === undefined
            ? 'no samples yet'
            : [clockWithSeconds(sample.at), ...series.map(({ name, value }) => `${name} ${said(value(sample))}`)].join(
                ', ',
              ),
      });
    },
  };
}
