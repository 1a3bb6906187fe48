import { html, nothing, type TemplateResult } from 'lit-html';
import type { App } from '../state/app.ts';
import type { Chat } from '../state/chat.ts';
import type { Session } from '../state/session.ts';
import { chatHeader } from './chat-header.ts';
import { composer } from './composer.ts';
import { icons } from './icons.ts';
import { messagesView } from './messages.ts';

/** One conversation: who it is with, its messages, and where one writes. */
export function chatView(app: App, session: Session, chat: Chat): TemplateResult {
  const { words, formats } = app.language;
  return html`${chatHeader(app, session, chat)}
    <div class="messages-frame">
      ${messagesView(app, session, chat)}
      ${
        chat.atEnd
          ? nothing
          : html`<button class="to-newest" aria-label=${words.toNewest} @click=${chat.toNewest}>
              ${icons.down}${chat.missed > 0 ? html`<span class="count">${formats.count(chat.missed)}</span>` : nothing}
            </button>`
      }
    </div>
    ${composer(app, session, chat)}`;
}
