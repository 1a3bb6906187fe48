import { at, make } from './dom.mjs';
import { bytes, count, counted, duration, rate } from './words.mjs';

/**
 * The figures of this moment, and above them what is wrong.
 * @param {any} overview
 * @param {any} presence
 */
export function showTiles({ totals, redis, deadLetters }, presence) {
  const letters = Object.values(deadLetters).reduce((sum, one) => sum + one, 0);
  /** @type {[name: string, value: string, more: string][]} */
  const tiles = [
    ['accepted', rate(totals.acceptedPerS), latency(totals.acceptP50Ms, totals.acceptP99Ms)],
    ['delivered', rate(totals.pushedPerS), latency(totals.deliverP50Ms, totals.deliverP99Ms)],
    ['connections', count(totals.connections), `${counted(presence.users, 'user')} online`],
    [
      'memory of Redis',
      bytes(redis.usedBytes),
      redis.maxBytes === 0 ? 'no limit is set' : `of ${bytes(redis.maxBytes)}`,
    ],
    ['dead letters', count(letters), letters === 0 ? 'none' : 'see below'],
    ['presence watches', count(presence.watches), `of ${counted(presence.watched, 'user')}`],
  ];
  at('tiles').replaceChildren(
    ...tiles.map(([name, value, more]) =>
      make(
        'div',
        { class: 'card' },
        make('dt', {}, name),
        make('dd', {}, make('b', {}, value), make('span', {}, more)),
      ),
    ),
  );
}

/** @param {number | null} p50 @param {number | null} p99 */
const latency = (p50, p99) => (p50 === null ? 'nothing now' : `p50 ${duration(p50)}, p99 ${duration(p99)}`);

let shown = '';

/**
 * Drawn again only when it has changed: a screen reader is told of each change, and of nothing else.
 * @param {import('./limits.mjs').Finding[]} findings
 */
export function showFindings(findings) {
  const next = JSON.stringify(findings);
  if (next === shown) return;
  shown = next;
  // In the tab too, for those who have the page open behind others.
  document.title = findings[0] === undefined ? 'Restante: all is well' : `${findings[0].title}: Restante`;
  at('findings').replaceChildren(findings.length === 0 ? allIsWell() : make('ul', {}, ...findings.map(findingOf)));
}

const allIsWell = () =>
  make(
    'p',
    { class: 'card finding good' },
    make('span', { class: 'badge good' }, 'All is well'),
    make('span', {}, 'Every line of processes runs, every partition has its owners, and nothing waits.'),
  );

/** @param {import('./limits.mjs').Finding} finding */
const findingOf = ({ level, title, detail, page }) =>
  make(
    'li',
    { class: `card finding ${level}` },
    make('span', { class: `badge ${level}` }, level === 'bad' ? 'Wrong' : 'Look'),
    make('strong', {}, title),
    make('span', { class: 'detail' }, detail),
    make('a', { href: `/admin/docs/${page}`, 'aria-label': `What to do: ${title}` }, 'What to do'),
  );
