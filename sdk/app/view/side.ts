import { html, nothing, type TemplateResult } from 'lit-html';
import type { App } from '../state/app.ts';
import type { Session } from '../state/session.ts';
import { avatar } from './avatar.ts';
import { foundView } from './found.ts';
import { icons } from './icons.ts';
import { listView } from './list.ts';
import { statusLine } from './status-line.ts';

/** The pane of the list: who one is, how the connection is, the search, and all conversations. */
export function sideView(app: App, session: Session): TemplateResult {
  const { words } = app.language;
  const { search, dialogs, user } = session;
  const clear = (event: Event): void => {
    const field = (event.currentTarget as HTMLElement).parentElement!.querySelector('input')!;
    field.value = '';
    search.set('');
    field.focus();
  };
  const keys = (event: KeyboardEvent): void => {
    const field = event.target as HTMLInputElement;
    if (event.isComposing) return;
    if (event.key === 'Escape' && field.value !== '') {
      field.value = '';
      search.set('');
    } else if (event.key === 'ArrowDown') {
      event.preventDefault();
      document.querySelector<HTMLElement>('.side [data-row]')?.focus();
    }
  };
  return html`<section class="side" aria-label=${words.chats}>
    <div class="side-head">
      ${avatar(user, user)}
      <div class="who">
        <h1><bdi>${user}</bdi></h1>
        ${statusLine(app, session)}
      </div>
      <button class="plain round" aria-label=${words.newChat} @click=${() => dialogs.show({ kind: 'new-chat' })}>
        ${icons.write}
      </button>
      <button class="plain round" aria-label=${words.newGroup} @click=${() => dialogs.show({ kind: 'new-group' })}>
        ${icons.group}
      </button>
      <button class="plain round" aria-label=${words.settings} @click=${() => dialogs.show({ kind: 'settings' })}>
        ${icons.settings}
      </button>
    </div>
    <div class="search" role="search">
      ${icons.search}
      <input
        type="text"
        inputmode="search"
        enterkeyhint="search"
        dir="auto"
        autocomplete="off"
        maxlength="128"
        aria-label=${words.search}
        placeholder=${words.search}
        @input=${(event: Event) => search.set((event.target as HTMLInputElement).value)}
        @keydown=${keys}
      />
      ${
        search.text === ''
          ? nothing
          : html`<button class="plain round" aria-label=${words.clearSearch} @click=${clear}>${icons.clear}</button>`
      }
    </div>
    <nav class="list" aria-label=${words.chats}>
      ${listView(app, session)} ${search.text === '' ? nothing : foundView(app, session)}
    </nav>
  </section>`;
}
