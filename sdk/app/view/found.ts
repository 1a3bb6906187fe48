import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { Message } from '../../src/entries/client.ts';
import { hashOf } from '../model/route.ts';
import { shownText } from '../model/shown.ts';
import { titleOf } from '../model/titles.ts';
import type { App } from '../state/app.ts';
import type { Session } from '../state/session.ts';

/** A piece of a long text around the first word that was looked for. */
function excerpt(text: string, looked: string): string {
  const word = looked.split(/\s+/)[0]?.toLocaleLowerCase() ?? '';
  const at = text.toLocaleLowerCase().indexOf(word);
  return at > 60 ? `…${text.slice(at - 40, at + 120)}` : text.slice(0, 160);
}

function foundRow(app: App, session: Session, message: Message): TemplateResult {
  const { words, formats } = app.language;
  const open = (event: Event): void => {
    event.preventDefault();
    app.go(message.conversation);
    session.open(message.conversation);
    void session.chat?.goTo(message.seq);
  };
  return html`<a class="chat-row found" href=${hashOf(message.conversation)} data-row @click=${open}>
    <span class="first-line">
      <strong class="title" dir="auto">${titleOf(session.info(message.conversation), words)}</strong>
      <time class="quiet small" datetime=${new Date(message.at).toISOString()}
        >${formats.short(message.at, Date.now())}</time
      >
    </span>
    <span class="second-line">
      <span class="line"
        ><bdi>${message.sender === session.user ? words.you : message.sender}</bdi>:
        <bdi>${excerpt(shownText(message, words).text, session.search.text)}</bdi></span
      >
    </span>
  </a>`;
}

/** Messages that the server found, below the names that were found here. */
export function foundView(app: App, session: Session): TemplateResult {
  const { words } = app.language;
  const { found } = session.search;
  if (found.state === 'idle') return html`${nothing}`;
  const { messages, state } = found;
  const isDone = state === 'done';
  return html`<section class="found-messages" aria-label=${words.foundMessages}>
    <h2 class="quiet small">${words.foundMessages}</h2>
    <ul class="rows">
      ${repeat(
        messages,
        ({ id }) => id,
        (message) => html`<li>${foundRow(app, session, message)}</li>`,
      )}
    </ul>
    <p class="quiet small" role="status">
      ${state === 'searching' ? words.searching : state === 'failed' ? words.searchFailed : nothing}
      ${isDone && messages.length === 0 ? words.nothingFound : nothing}
      ${isDone && found.indexing ? words.searchIndexing : nothing}
    </p>
    ${
      isDone && found.next !== null
        ? html`<button class="plain" @click=${() => session.search.more()}>${words.moreResults}</button>`
        : nothing
    }
  </section>`;
}
