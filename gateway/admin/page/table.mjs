import { make } from './dom.mjs';

/**
 * A cell: a text or a number, or one with a sign that something is wrong there.
 * @typedef {string | number | {text: string | number, bad?: boolean, title?: string}} Cell
 */

/**
 * Fills a table. On a phone its rows stand one below the other, and each cell says its column. Roles are named because
 * browsers drop them with that layout.
 * @param {HTMLElement} table
 * @param {string} caption
 * @param {string[]} columns
 * @param {Cell[][]} rows
 */
export function fill(table, caption, columns, rows) {
  table.setAttribute('role', 'table');
  const head = make(
    'tr',
    { role: 'row' },
    ...columns.map((name) => make('th', { role: 'columnheader', scope: 'col' }, name)),
  );
  table.replaceChildren(
    make('caption', { class: 'unseen' }, caption),
    make('thead', { role: 'rowgroup' }, head),
    make('tbody', { role: 'rowgroup' }, ...rows.map((cells) => rowOf(columns, cells))),
  );
}

/** @param {string[]} columns @param {Cell[]} cells */
const rowOf = (columns, cells) =>
  make(
    'tr',
    { role: 'row' },
    ...cells.map((cell, i) => {
      const { text, bad = false, title = '' } = typeof cell === 'object' ? cell : { text: cell };
      const shown = typeof text === 'number' ? text.toLocaleString('en') : text;
      const content = bad ? make('span', { class: 'badge bad' }, shown) : shown;
      if (i === 0) return make('th', { role: 'rowheader', scope: 'row', title }, content);
      return make('td', { role: 'cell', title, 'data-name': columns[i] ?? '' }, content);
    }),
  );
