import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { hasAbove, shownRows } from '../model/row-window.ts';
import type { Row } from '../model/rows.ts';
import { shownText } from '../model/shown.ts';
import { titleOf } from '../model/titles.ts';
import type { App } from '../state/app.ts';
import type { Chat } from '../state/chat.ts';
import type { Session } from '../state/session.ts';
import { hasActions } from './message-menu.ts';
import { messageView } from './message.ts';
import { distanceToEnd, nearPx } from './scroll-keeper.ts';

const endPx = 40;

function holeView({ language: { words, formats } }: App, chat: Chat, row: Extract<Row, { hole: unknown }>) {
  const { hole, state } = row.hole;
  const count = formats.count(hole.toSeq - hole.fromSeq + 1);
  if (state === 'absent') return html`<p class="note">${words.holeAbsent(count)}</p>`;
  return html`<p class="note">
    <button class="plain" ?disabled=${state === 'loading' || chat.loading} @click=${() => chat.load(hole)}>
      ${state === 'loading' ? words.loading : words.holeLoad(count)}
    </button>
  </p>`;
}

function rowView(app: App, session: Session, chat: Chat, row: Row, takesTab: boolean): TemplateResult {
  const { words, formats } = app.language;
  return html`<li data-key=${row.key}>
    ${row.day === null ? nothing : html`<p class="day"><span>${formats.day(row.day, Date.now())}</span></p>`}
    ${row.isFirstNew ? html`<p class="new-line"><span>${words.newMessages}</span></p>` : nothing}
    ${
      'hole' in row
        ? holeView(app, chat, row)
        : 'note' in row
          ? html`<p class="note"><bdi>${shownText(row.note, words).text}</bdi></p>`
          : messageView(app, session, chat, row, takesTab)
    }
  </li>`;
}

/** What stands above the first message: how to get the earlier ones, or that there are none. */
function beginning({ language: { words } }: App, chat: Chat): TemplateResult {
  const { older, items } = chat.conversation.messages.get();
  if (hasAbove(chat.rows.length, chat.window) || older === 'more')
    return html`<p class="note">
      <button class="plain" ?disabled=${chat.loading} @click=${chat.up}>
        ${chat.loading ? words.loading : words.loadEarlier}
      </button>
    </p>`;
  if (older === 'unknown') return html`<p class="note">${words.loading}</p>`;
  return html`<p class="note quiet">${items.length === 0 ? words.noMessages : words.beginning}</p>`;
}

/** The messages. At most 200 rows are in the page; more of them come near the upper and lower end. */
export function messagesView(app: App, session: Session, chat: Chat): TemplateResult {
  const { words } = app.language;
  const title = titleOf(chat.conversation.info.get(), words);
  const scrolled = (event: Event): void => {
    const place = event.currentTarget as HTMLElement;
    const below = distanceToEnd(place);
    if (place.scrollTop < nearPx) chat.up();
    else if (below < nearPx) chat.down();
    chat.scrolled(below < endPx);
  };
  const rows = shownRows(chat.rows, chat.window);
  const last = rows.findLast(hasActions)?.key;
  return html`<div
    class="messages"
    role="log"
    aria-live="off"
    aria-label=${words.messagesOf(title)}
    tabindex="0"
    data-conversation=${chat.conversation.id}
    @scroll=${scrolled}
  >
    ${beginning(app, chat)}
    <ol>
      ${repeat(
        rows,
        ({ key }) => key,
        (row) => rowView(app, session, chat, row, row.key === last),
      )}
    </ol>
  </div>`;
}
