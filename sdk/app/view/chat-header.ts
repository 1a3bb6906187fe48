import { html, nothing, type TemplateResult } from 'lit-html';
import { titleOf } from '../model/titles.ts';
import type { App } from '../state/app.ts';
import type { Chat } from '../state/chat.ts';
import type { Session } from '../state/session.ts';
import { avatar } from './avatar.ts';
import { icons } from './icons.ts';
import { isWell, stateText } from './status-line.ts';

/** What is wrong with the connection, else who types, else who is there. */
function subtitle({ language: { words, formats } }: App, session: Session, chat: Chat): string {
  const { id, peer } = chat.conversation.info.get();
  const status = session.client.status.get();
  // A phone does not show the list, which says it too.
  if (!isWell(status)) return stateText(status, words);
  const typing = session.typing.in(id);
  if (typing.length > 1) return words.typingMany;
  if (typing.length === 1) return words.typingOne(typing[0]!);
  if (peer === undefined) return words.group;
  const seen = session.presence.of(peer);
  if (seen === undefined) return '';
  if (seen.online) return words.online;
  return seen.lastSeen === null ? words.offlineUser : words.lastSeen(formats.short(seen.lastSeen, Date.now()));
}

export function chatHeader(app: App, session: Session, chat: Chat): TemplateResult {
  const { words } = app.language;
  const info = chat.conversation.info.get();
  const title = titleOf(info, words);
  const isTyping = session.typing.in(info.id).length > 0;
  const isOnline = info.peer !== undefined && session.presence.of(info.peer)?.online === true;
  const showInfo = (): void => {
    session.members.forget();
    session.dialogs.show({ kind: 'group-info', conversation: info.id });
  };
  return html`<div class="chat-head">
    <a class="plain round back" href="#/" aria-label=${words.back}>${icons.back}</a>
    ${avatar(info.peer ?? info.id, title, isOnline)}
    <div class="who">
      <h1 dir="auto">${title}</h1>
      <p class="small ${isTyping ? 'typing' : 'quiet'}" dir="auto">${subtitle(app, session, chat)}</p>
    </div>
    ${
      info.kind === 'group'
        ? html`<button class="plain round" aria-label=${words.groupInfo} @click=${showInfo}>${icons.more}</button>`
        : nothing
    }
  </div>`;
}
