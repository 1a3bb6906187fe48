import { html, nothing, type TemplateResult } from 'lit-html';
import type { ShownMessage } from '../../src/entries/client.ts';
import { textOf } from '../model/body.ts';
import type { BubbleRow, Row } from '../model/rows.ts';
import type { App } from '../state/app.ts';
import type { Chat } from '../state/chat.ts';
import type { Session } from '../state/session.ts';
import { icons } from './icons.ts';

/** Whether the server still takes a change of a message of this age; 0 means no limit. */
const isInTime = (at: number, withinMs: number | undefined, now: number): boolean =>
  withinMs === undefined || withinMs === 0 || now - at < withinMs;

const isShown = (message: BubbleRow['message']): message is ShownMessage => message.status === 'accepted';

/** Whether something can be done with it: the server has it, and it says something. */
export const hasActions = (row: Row): boolean =>
  'message' in row && isShown(row.message) && textOf(row.message.body) !== null;

/** One stop of the tab key for all messages, at the newest; the arrows move to the others. */
function moveFocus(event: KeyboardEvent): void {
  const step = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0;
  const all = [...document.querySelectorAll<HTMLElement>('[data-actions]')];
  const next = all[all.indexOf(event.target as HTMLElement) + step];
  if (step === 0 || next === undefined) return;
  event.preventDefault();
  next.focus();
}

/** What can be done with a message, behind one button. */
export function messageMenu(app: App, session: Session, chat: Chat, row: Row & BubbleRow, takesTab: boolean) {
  const { words } = app.language;
  const { message, isMine, key } = row;
  const text = textOf(message.body);
  if (!isShown(message) || text === null) return nothing;
  const { limits, features } = session.client;
  const now = session.client.now();
  const canAmend = isMine && features.includes('amend');
  const isOpen = chat.menu === key;
  const copy = async (): Promise<void> => {
    chat.showMenu(null);
    await navigator.clipboard.writeText(text);
    session.announcer.say(words.copied);
  };
  const recall = (): void => {
    chat.showMenu(null);
    session.dialogs.show({ kind: 'recall', conversation: chat.conversation.id, seq: message.seq });
  };
  const leave = (event: FocusEvent): void => {
    const inside = (event.currentTarget as HTMLElement).contains(event.relatedTarget as Node | null);
    if (!inside && isOpen) chat.showMenu(null);
  };
  const keys = (event: KeyboardEvent): void => {
    if (!isOpen) return moveFocus(event);
    if (event.key !== 'Escape') return;
    event.stopPropagation();
    chat.showMenu(null);
    (event.currentTarget as HTMLElement).querySelector('button')?.focus();
  };
  const choice = (label: string, act: () => unknown): TemplateResult =>
    html`<li><button class="plain" @click=${act}>${label}</button></li>`;
  return html`<div class="actions ${isOpen ? 'open' : ''}" @focusout=${leave} @keydown=${keys}>
    <button
      class="plain round"
      data-actions
      tabindex=${takesTab || isOpen ? 0 : -1}
      aria-label=${words.actionsOf}
      aria-expanded=${isOpen ? 'true' : 'false'}
      @click=${() => chat.showMenu(isOpen ? null : key)}
    >
      ${icons.more}
    </button>
    ${
      isOpen
        ? html`<ul class="menu">
            ${
              canAmend && isInTime(message.at, limits?.editWithinMs, now)
                ? choice(words.edit, () => chat.edit(message))
                : nothing
            }
            ${choice(words.copy, copy)}
            ${canAmend && isInTime(message.at, limits?.recallWithinMs, now) ? choice(words.recall, recall) : nothing}
          </ul>`
        : nothing
    }
  </div>`;
}
