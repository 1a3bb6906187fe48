import { ask } from './ask.mjs';
import { at } from './dom.mjs';

/** The form that asks where a message is. */
export function startTrace() {
  at('trace-form').addEventListener('submit', (event) => {
    event.preventDefault();
    void trace(/** @type {HTMLInputElement} */ (at('message')).value.trim());
  });
}

/** @param {string} id */
async function trace(id) {
  const answer = at('trace-answer');
  answer.hidden = false;
  answer.textContent = 'Looking…';
  try {
    const { lines } = await ask(`trace/${encodeURIComponent(id)}`);
    answer.textContent = lines.join('\n');
  } catch (fault) {
    answer.textContent = /** @type {Error} */ (fault).message;
  }
}
