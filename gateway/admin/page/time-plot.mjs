import { draw, make } from './dom.mjs';
import { timeTicks } from './scale.mjs';
import { clock } from './words.mjs';

/**
 * The ground of every drawing over time: its size, its time axis, the times without samples, and a cursor that is moved
 * by pointer or keys and stands at the same time in all drawings.
 */

export const margin = { top: 8, start: 46, end: 10, bottom: 20 };
const pixelsPerTimeTick = 80;
/** Half the width of a label of the time axis (px): one at the end stays inside the drawing. */
const halfLabel = 16;

/**
 * @typedef {{from: number, to: number}} Span ms since 1970
 * @typedef {{from: number, now: number, gaps: Span[], surges: Span[]}} Window the time shown, and what marks it
 */

/**
 * @param {string} label what the drawing shows
 * @param {(move: 'earlier' | 'later' | 'first' | 'last' | 'none' | {at: number}) => void} moveCursor
 */
export function createTimePlot(label, moveCursor) {
  const picture = draw('svg', { 'aria-hidden': 'true' });
  const element = make(
    'div',
    { class: 'plot', role: 'slider', tabindex: 0, 'aria-label': `${label}: time`, 'aria-valuemin': 0 },
    picture,
  );
  const cursor = draw('line', { class: 'cursor', visibility: 'hidden' });
  let size = { width: 0, height: 0 };
  /** @type {Window} */
  let shown = { from: 0, now: 1, gaps: [], surges: [] };

  /** @param {number} at */
  const x = (at) =>
    margin.start + ((size.width - margin.start - margin.end) * (at - shown.from)) / (shown.now - shown.from);

  /** @param {PointerEvent} event */
  function pointed(event) {
    const share = (event.clientX - picture.getBoundingClientRect().x - margin.start) / (x(shown.now) - margin.start);
    moveCursor({ at: shown.from + share * (shown.now - shown.from) });
  }
  element.addEventListener('pointermove', pointed);
  element.addEventListener('pointerdown', pointed);
  element.addEventListener('pointerleave', () => moveCursor('none'));
  element.addEventListener('blur', () => moveCursor('none'));
  element.addEventListener('keydown', (event) => {
    const moves = /** @type {const} */ ({
      ArrowLeft: 'earlier',
      ArrowRight: 'later',
      Home: 'first',
      End: 'last',
      Escape: 'none',
    });
    if (!Object.hasOwn(moves, event.key)) return;
    event.preventDefault();
    moveCursor(moves[/** @type {keyof typeof moves} */ (event.key)]);
  });

  /** @param {string} name @param {Span} span */
  function band(name, { from, to }) {
    const start = Math.max(x(from), margin.start);
    const width = Math.max(x(to) - start, 0);
    return draw('rect', {
      class: name,
      x: start.toFixed(1),
      y: margin.top,
      width: width.toFixed(1),
      height: size.height - margin.top - margin.bottom,
    });
  }

  return {
    element,
    x,
    /**
     * Draws the ground anew; `paint` gives what stands on it.
     * @param {Window} window
     * @param {number} height px
     * @param {(size: {width: number, height: number}) => SVGElement[]} paint
     */
    show(window, height, paint) {
      shown = window;
      size = { width: Math.max(element.clientWidth, 200), height };
      picture.setAttribute('viewBox', `0 0 ${size.width} ${height}`);
      picture.setAttribute('width', String(size.width));
      picture.setAttribute('height', String(height));
      const bottom = height - margin.bottom;
      const ticks = timeTicks(shown.from, shown.now, Math.max(2, Math.floor(size.width / pixelsPerTimeTick)));
      picture.replaceChildren(
        ...shown.gaps.map((gap) => band('gap', gap)),
        ...shown.surges.map((span) => band('in-surge', span)),
        ...ticks.flatMap((tick) => [
          draw('line', { class: 'grid', x1: x(tick), x2: x(tick), y1: margin.top, y2: bottom }),
          draw(
            'text',
            { x: Math.min(x(tick), size.width - halfLabel), y: height - 5, 'text-anchor': 'middle' },
            clock(tick),
          ),
        ]),
        ...paint(size),
        cursor,
      );
      cursor.setAttribute('y1', String(margin.top));
      cursor.setAttribute('y2', String(bottom));
    },
    /**
     * @param {number | null} at
     * @param {{index: number, last: number, text: string}} said what the cursor stands at
     */
    point(at, { index, last, text }) {
      cursor.setAttribute('visibility', at === null ? 'hidden' : 'visible');
      if (at !== null) {
        cursor.setAttribute('x1', x(at).toFixed(1));
        cursor.setAttribute('x2', x(at).toFixed(1));
      }
      element.setAttribute('aria-valuemax', String(last));
      element.setAttribute('aria-valuenow', String(index));
      element.setAttribute('aria-valuetext', text);
    },
  };
}
