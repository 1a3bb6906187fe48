import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { ConversationInfo } from '../../src/entries/client.ts';
import { titleOf } from '../model/titles.ts';
import type { App } from '../state/app.ts';
import type { Session } from '../state/session.ts';
import { listRow } from './list-row.ts';

/** The most rows that are drawn: the search finds the others. */
const most = 300;

const matches = (info: ConversationInfo, title: string, text: string): boolean =>
  `${title}\n${info.peer ?? ''}\n${info.id}`.toLocaleLowerCase().includes(text.toLocaleLowerCase());

/** All conversations, newest first, or those whose names hold what is looked for. */
export function listView(app: App, session: Session): TemplateResult {
  const { words } = app.language;
  const { text } = session.search;
  const all = session.client.conversations.get();
  const shown = (text === '' ? all : all.filter((info) => matches(info, titleOf(info, words), text))).slice(0, most);
  if (all.length === 0 && text === '') return emptyList(app, session);
  if (shown.length === 0 && session.search.found.state === 'idle')
    return html`<p class="empty quiet" role="status">${words.nothingFound}</p>`;
  const current = session.chat?.conversation.id;
  const inTurn = shown.some(({ id }) => id === current) ? current : shown[0]?.id;
  return html`<ul class="rows" @keydown=${moveFocus}>
    ${repeat(
      shown,
      ({ id }) => id,
      (info) => html`<li>${listRow(app, session, info, info.id === inTurn)}</li>`,
    )}
  </ul>`;
}

function emptyList({ language: { words } }: App, { client, dialogs }: Session): TemplateResult {
  if (!client.status.get().synced) return html`${nothing}`;
  return html`<div class="empty">
    <p><strong>${words.noChats}</strong></p>
    <p class="quiet">${words.noChatsHint}</p>
    <button class="primary" @click=${() => dialogs.show({ kind: 'new-chat' })}>${words.newChat}</button>
  </div>`;
}

/** One stop of the tab key for the whole list; the arrows move inside of it. */
function moveFocus(event: KeyboardEvent): void {
  const rows = [...document.querySelectorAll<HTMLElement>('.side [data-row]')];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 };
  const next = steps[event.key];
  if (next === undefined || at === -1) return;
  event.preventDefault();
  if (next < 0) document.querySelector<HTMLElement>('.search input')?.focus();
  else rows[Math.min(next, rows.length - 1)]?.focus();
}
