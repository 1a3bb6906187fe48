import { html, nothing, type TemplateResult } from 'lit-html';
import { live } from 'lit-html/directives/live.js';
import type { ShownMessage } from '../../src/entries/client.ts';
import { textOf } from '../model/body.ts';
import { titleOf } from '../model/titles.ts';
import type { App } from '../state/app.ts';
import type { Chat } from '../state/chat.ts';
import { errorText } from '../state/error-text.ts';
import type { Session } from '../state/session.ts';
import { icons } from './icons.ts';

const fieldOf = (event: Event): HTMLTextAreaElement =>
  (event.currentTarget as HTMLElement).closest('form')!.querySelector('textarea')!;

/** As tall as its text, up to six lines, which the style sheet limits. */
export function fitHeight(field: HTMLTextAreaElement): void {
  field.style.blockSize = 'auto';
  field.style.blockSize = `${field.scrollHeight + 2}px`;
}

/** The key of an input method that ends a word is no wish to send; old browsers tell it by 229 alone. */
const isEnter = (event: KeyboardEvent): boolean =>
  event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.keyCode !== 229;

/** The newest message of one's own that is still there: the up arrow edits it. */
const lastOwn = ({ rows }: Chat): ShownMessage | undefined =>
  rows
    .flatMap((row) =>
      'message' in row && row.isMine && row.message.status === 'accepted' && textOf(row.message.body) !== null
        ? [row.message]
        : [],
    )
    .at(-1);

/** Where one writes. An edit takes the place of the draft, which comes back after it. */
export function composer(app: App, session: Session, chat: Chat): TemplateResult {
  const { words } = app.language;
  const { conversation, editing } = chat;
  const { drafts, typing, announcer } = session;
  const title = titleOf(conversation.info.get(), words);
  const shown = editing === null ? drafts.get(conversation.id) : chat.editText;

  const submit = (field: HTMLTextAreaElement): void => {
    const text = field.value.trim();
    if (text === '') return;
    try {
      if (editing === null) conversation.send({ text });
      else conversation.amend(editing.seq, { action: 'edit', body: { text } });
    } catch (error) {
      return announcer.fail(errorText(error, words));
    }
    announcer.fail(null);
    if (editing === null) drafts.set(conversation.id, '');
    field.value = editing === null ? '' : drafts.get(conversation.id);
    fitHeight(field);
    if (editing === null) chat.toNewest();
    else chat.edit(null);
  };
  const input = (event: Event): void => {
    const field = fieldOf(event);
    fitHeight(field);
    if (editing !== null) return chat.writeEdit(field.value);
    drafts.set(conversation.id, field.value);
    if (field.value.trim() !== '') typing.typed(conversation.id);
  };
  const keys = (event: KeyboardEvent): void => {
    const field = fieldOf(event);
    if (isEnter(event)) {
      event.preventDefault();
      submit(field);
    } else if (event.key === 'Escape' && !event.isComposing) {
      if (editing === null) app.go(null);
      else chat.edit(null);
    } else if (event.key === 'ArrowUp' && field.value === '' && session.client.features.includes('amend')) {
      const message = lastOwn(chat);
      if (message === undefined) return;
      event.preventDefault();
      chat.edit(message);
    }
  };
  const send = (event: Event): void => {
    const field = fieldOf(event);
    submit(field);
    field.focus();
  };

  return html`<form class="composer" @submit=${(event: Event) => event.preventDefault()}>
    ${
      editing === null
        ? nothing
        : html`<p class="editing small">
            <span>${words.editing}</span>
            <button class="plain" type="button" @click=${() => chat.edit(null)}>${words.cancel}</button>
          </p>`
    }
    <p role="alert" class="fault small">${announcer.fault ?? nothing}</p>
    <div class="field">
      <textarea
        rows="1"
        dir="auto"
        data-composer=${`${conversation.id} ${editing?.seq ?? ''}`}
        aria-label=${words.writeTo(title)}
        placeholder=${words.message}
        enterkeyhint="send"
        .value=${live(shown)}
        @input=${input}
        @keydown=${keys}
      ></textarea>
      <button
        class="primary round"
        type="button"
        aria-label=${editing === null ? words.send : words.save}
        @click=${send}
      >
        ${editing === null ? icons.send : icons.save}
      </button>
    </div>
  </form>`;
}
