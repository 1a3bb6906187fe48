import { ask } from './ask.mjs';
import { at, make } from './dom.mjs';

const pageSize = 50;
let after = '';

/** Reads the newest dead letters, and has the button read further ones. */
export function startLetters() {
  at('letters-more').addEventListener('click', () => void show(true));
  void show(false);
}

/** @param {boolean} further */
async function show(further) {
  try {
    const from = further && after !== '' ? `&after=${after}` : '';
    const { deadLetters, counts, next } = await ask(`dead-letters?limit=${pageSize}${from}`);
    const open = Object.entries(counts).filter(([, count]) => count > 0);
    at('letter-counts').textContent =
      open.length === 0 ? 'None.' : open.map(([reason, count]) => `${reason} ${count}`).join(' · ');
    if (!further) at('letter-list').replaceChildren();
    at('letter-list').append(...deadLetters.map(letterOf));
    after = next ?? '';
    at('letters-more').hidden = next === undefined;
  } catch (fault) {
    at('letter-counts').textContent = /** @type {Error} */ (fault).message;
  }
}

/** @param {any} letter */
function letterOf({ id, reason, at: when, attempts, error, subject }) {
  const replay = make('button', { type: 'button' }, 'Replay', make('span', { class: 'unseen' }, ` ${id}`));
  const outcome = make('span', { class: 'small', role: 'status' });
  replay.addEventListener('click', () => void replayLetter(id, replay, outcome));
  const about = Object.entries(subject).map(([name, value]) => `${name} ${value}`);
  return make(
    'li',
    { class: 'card' },
    make(
      'p',
      {},
      make('span', { class: 'badge warn' }, reason),
      ` ${new Date(when).toLocaleString()} · ${attempts} attempts · `,
      make('code', {}, id),
    ),
    make('p', {}, error),
    make('p', { class: 'small quiet' }, about.join(' · ')),
    make('p', { class: 'ask' }, replay, outcome),
  );
}

/** @param {string} id @param {HTMLButtonElement} button @param {HTMLElement} outcome */
async function replayLetter(id, button, outcome) {
  button.disabled = true;
  try {
    outcome.textContent = (await ask(`dead-letters/${id}/replay`, 'POST')).state;
  } catch (fault) {
    outcome.textContent = /** @type {Error} */ (fault).message;
    button.disabled = false;
  }
}
