import { html, nothing, type TemplateResult } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import type { Conversation } from '../../../src/entries/client.ts';
import { isId } from '../../model/ids.ts';
import { titleOf } from '../../model/titles.ts';
import type { App } from '../../state/app.ts';
import { errorText } from '../../state/error-text.ts';
import type { Session } from '../../state/session.ts';
import { avatar } from '../avatar.ts';
import { icons } from '../icons.ts';
import type { DialogParts } from './dialog-parts.ts';
import { fieldIn } from './fields.ts';

/** The most members that are drawn. */
const most = 500;

function memberRow(app: App, session: Session, group: Conversation, user: string): TemplateResult {
  const { words } = app.language;
  const isSelf = user === session.user;
  const remove = (): void =>
    void session.dialogs.run(async () => {
      await group.remove(user);
      session.members.changed(group.id);
    }, 'stay');
  return html`<li>
    ${avatar(user, user)} <bdi>${user}</bdi> ${isSelf ? html`<span class="quiet small">${words.you}</span>` : nothing}
    ${
      isSelf
        ? nothing
        : html`<button class="plain round" aria-label=${words.removeMember(user)} @click=${remove}>
            ${icons.clear}
          </button>`
    }
  </li>`;
}

function membersView(app: App, session: Session, group: Conversation): TemplateResult {
  const { words, formats } = app.language;
  const found = session.members.of(group.id);
  if (found.state === 'loading') return html`<p class="quiet">${words.loading}</p>`;
  if (found.state === 'failed') return html`<p class="fault">${errorText(found.error, words)}</p>`;
  return html`<h3 class="small quiet">${words.membersCount(formats.count(found.users.length))}</h3>
    <ul class="members">
      ${repeat(
        found.users.slice(0, most),
        (user) => user,
        (user) => memberRow(app, session, group, user),
      )}
    </ul>`;
}

export function groupInfoDialog(app: App, session: Session, id: string): DialogParts {
  const { words } = app.language;
  const { client, dialogs } = session;
  const group = client.conversation(id);
  const rename = (event: SubmitEvent): void => {
    event.preventDefault();
    const name = fieldIn(event, 'name');
    void dialogs.run(() => group.rename(name), 'stay');
  };
  const add = (event: SubmitEvent): void => {
    event.preventDefault();
    const user = fieldIn(event, 'user');
    if (!isId(user)) return dialogs.complain(words.badUser);
    const form = event.target as HTMLFormElement;
    void dialogs.run(async () => {
      await group.add(user);
      session.members.changed(id);
      form.reset();
    }, 'stay');
  };
  return {
    title: words.groupInfo,
    content: html`<form @submit=${rename}>
        <label for="name">${words.groupName}</label>
        <div class="field">
          <input
            id="name"
            name="name"
            dir="auto"
            autocomplete="off"
            maxlength="100"
            required
            value=${titleOf(group.info.get(), words)}
          />
          <button ?disabled=${dialogs.busy}>${words.rename}</button>
        </div>
      </form>
      <form @submit=${add}>
        <label for="user">${words.addMember}</label>
        <div class="field">
          <input id="user" name="user" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="64" />
          <button ?disabled=${dialogs.busy}>${words.add}</button>
        </div>
      </form>
      ${membersView(app, session, group)}
      <div class="buttons">
        <button class="plain danger" @click=${() => dialogs.show({ kind: 'leave', conversation: id })}>
          ${words.leaveGroup}
        </button>
      </div>`,
  };
}
