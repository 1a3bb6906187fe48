import { html, nothing, type TemplateResult } from 'lit-html';
import type { ConversationInfo } from '../../src/entries/client.ts';
import { hashOf } from '../model/route.ts';
import { shownText } from '../model/shown.ts';
import { titleOf } from '../model/titles.ts';
import type { App } from '../state/app.ts';
import type { Session } from '../state/session.ts';
import { avatar } from './avatar.ts';

/** The most letters of a last line: more are never seen. */
const lineLetters = 160;

/** What stands below the name: who types, a draft, or the newest message. */
function lastLine({ language: { words } }: App, session: Session, info: ConversationInfo): TemplateResult {
  const typing = session.typing.in(info.id);
  if (typing.length > 0)
    return html`<span class="line typing" dir="auto"
      >${info.kind === 'group' && typing.length === 1 ? words.typingOne(typing[0]!) : words.typingShort}</span
    >`;
  const draft = session.drafts.get(info.id).trim();
  if (draft !== '' && session.chat?.conversation.id !== info.id)
    return html`<span class="line"
      ><span class="draft">${words.draft}</span> <bdi>${draft.slice(0, lineLetters)}</bdi></span
    >`;
  const { last } = info;
  if (last === null) return html`<span class="line"></span>`;
  const { text, said } = shownText(last, words);
  const by = last.sender === session.user ? words.you : info.kind === 'group' ? last.sender : '';
  return html`<span class="line ${said ? '' : 'unsaid'}"
    >${said && by !== '' ? html`<bdi>${by}</bdi>: ` : nothing}<bdi>${text.slice(0, lineLetters)}</bdi></span
  >`;
}

export function listRow(app: App, session: Session, info: ConversationInfo, takesTab: boolean): TemplateResult {
  const { words, formats } = app.language;
  const title = titleOf(info, words);
  const isOpen = session.chat?.conversation.id === info.id;
  const isOnline = info.peer !== undefined && session.presence.of(info.peer)?.online === true;
  return html`<a
    class="chat-row"
    href=${hashOf(info.id)}
    data-row=${info.id}
    tabindex=${takesTab ? 0 : -1}
    aria-current=${isOpen ? 'page' : nothing}
  >
    ${avatar(info.peer ?? info.id, title, isOnline)}
    <span class="first-line">
      <strong class="title" dir="auto">${title}</strong>
      ${isOnline ? html`<span class="unseen">${words.online}</span>` : nothing}
      ${
        info.last === null
          ? nothing
          : html`<time class="quiet small" datetime=${new Date(info.last.at).toISOString()}
              >${formats.short(info.last.at, Date.now())}</time
            >`
      }
    </span>
    <span class="second-line">
      ${lastLine(app, session, info)}
      ${
        info.unread > 0
          ? html`<span class="count"
              ><span aria-hidden="true">${info.unread > 999 ? '999+' : formats.count(info.unread)}</span
              ><span class="unseen">${words.unread(formats.count(info.unread))}</span></span
            >`
          : nothing
      }
    </span>
  </a>`;
}
