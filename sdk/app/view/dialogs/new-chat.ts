import { html } from 'lit-html';
import { isId } from '../../model/ids.ts';
import type { App } from '../../state/app.ts';
import type { Session } from '../../state/session.ts';
import type { DialogParts } from './dialog-parts.ts';
import { fieldIn } from './fields.ts';

/** Writes to one user, whether they are known here or not. */
export function newChatDialog(app: App, { client, dialogs, user }: Session): DialogParts {
  const { words } = app.language;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const peer = fieldIn(event, 'user');
    if (!isId(peer)) return dialogs.complain(words.badUser);
    if (peer === user) return dialogs.complain(words.notYourself);
    dialogs.close();
    app.go(client.direct(peer).id);
  };
  return {
    title: words.newChat,
    content: html`<form @submit=${submit}>
      <label for="user">${words.userName}</label>
      <input
        id="user"
        name="user"
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        maxlength="64"
        required
        autofocus
        aria-describedby="user-hint"
      />
      <p id="user-hint" class="quiet small">${words.userHint}</p>
      <div class="buttons"><button class="primary">${words.startChat}</button></div>
    </form>`,
  };
}
