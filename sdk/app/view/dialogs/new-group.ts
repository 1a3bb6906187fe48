import { html } from 'lit-html';
import { idsIn, isId } from '../../model/ids.ts';
import type { App } from '../../state/app.ts';
import type { Session } from '../../state/session.ts';
import type { DialogParts } from './dialog-parts.ts';
import { fieldIn } from './fields.ts';

export function newGroupDialog(app: App, { client, dialogs }: Session): DialogParts {
  const { words } = app.language;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const name = fieldIn(event, 'name');
    const members = idsIn(fieldIn(event, 'members'));
    if (!members.every(isId)) return dialogs.complain(words.badUser);
    void dialogs.run(async () => {
      const group = await client.createGroup({ members, ...(name === '' ? {} : { name }) });
      app.go(group.id);
    });
  };
  return {
    title: words.newGroup,
    content: html`<form @submit=${submit}>
      <label for="name">${words.groupName}</label>
      <input id="name" name="name" dir="auto" autocomplete="off" maxlength="100" required autofocus />
      <label for="members">${words.membersField}</label>
      <input
        id="members"
        name="members"
        autocomplete="off"
        autocapitalize="none"
        spellcheck="false"
        aria-describedby="members-hint"
      />
      <p id="members-hint" class="quiet small">${words.membersHint}</p>
      <div class="buttons"><button class="primary" ?disabled=${dialogs.busy}>${words.createGroup}</button></div>
    </form>`,
  };
}
