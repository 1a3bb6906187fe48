import { html, nothing, type TemplateResult } from 'lit-html';
import type { Status } from '../../src/entries/client.ts';
import type { App } from '../state/app.ts';
import type { Session } from '../state/session.ts';
import type { Words } from '../words/english.ts';

/** Another device of the same name took over. */
const takenOver = 4409;

/** Nothing needs to be said. */
export const isWell = ({ state, synced }: Status): boolean => state === 'connected' && synced;

/** The state of the connection in words: where it is well, the fewest. */
export function stateText({ state, reason, synced, code, quality }: Status, words: Words): string {
  if (state === 'connected') {
    if (!synced) return words.updating;
    return quality === 'bad' ? words.slow : words.connected;
  }
  if (state === 'waiting') return reason === 'offline' || !navigator.onLine ? words.offline : words.retrying;
  if (state === 'closed') return code === takenOver ? words.elsewhere : words.closed;
  return words.connecting;
}

export function statusLine(app: App, { client }: Session): TemplateResult {
  const { words, formats } = app.language;
  const status = client.status.get();
  const { state, storage, waiting, code } = status;
  const more = [
    ...(waiting > 0 && !isWell(status) ? [words.waitingCount(formats.count(waiting))] : []),
    ...(storage === 'memory' ? [words.storageMemory] : []),
  ];
  return html`<div class="status ${isWell(status) ? 'well' : state}">
    <p role="status"><span class="lamp" aria-hidden="true"></span>${[stateText(status, words), ...more].join(' · ')}</p>
    ${
      state === 'closed'
        ? html`<button class="plain" type="button" @click=${app.reconnect}>
            ${code === takenOver ? words.useHere : words.signInAgain}
          </button>`
        : nothing
    }
  </div>`;
}
