import { html, type TemplateResult } from 'lit-html';
import { keyed } from 'lit-html/directives/keyed.js';
import { ref } from 'lit-html/directives/ref.js';
import type { App } from '../../state/app.ts';
import type { DialogName } from '../../state/dialogs.ts';
import type { Session } from '../../state/session.ts';
import { icons } from '../icons.ts';
import { leaveDialog, recallDialog } from './confirm.ts';
import type { DialogParts } from './dialog-parts.ts';
import { groupInfoDialog } from './group-info.ts';
import { newChatDialog } from './new-chat.ts';
import { newGroupDialog } from './new-group.ts';
import { settingsDialog } from './settings.ts';

function partsOf(app: App, session: Session, dialog: DialogName): DialogParts {
  switch (dialog.kind) {
    case 'new-chat':
      return newChatDialog(app, session);
    case 'new-group':
      return newGroupDialog(app, session);
    case 'settings':
      return settingsDialog(app, session);
    case 'group-info':
      return groupInfoDialog(app, session, dialog.conversation);
    case 'recall':
      return recallDialog(app, session, dialog.conversation, dialog.seq);
    case 'leave':
      return leaveDialog(app, session, dialog.conversation);
  }
}

/** The browser keeps the focus inside of a modal dialog, and gives it back when the dialog closes. */
const showModal = (element?: Element): void => {
  const dialog = element as HTMLDialogElement | undefined;
  if (dialog !== undefined && !dialog.open) queueMicrotask(() => dialog.isConnected && dialog.showModal());
};

export function dialogView(app: App, session: Session, name: DialogName): TemplateResult {
  const { words } = app.language;
  const { dialogs } = session;
  const { title, content } = partsOf(app, session, name);
  const backdrop = (event: MouseEvent): void => {
    if (event.target === event.currentTarget) dialogs.close();
  };
  return html`${keyed(
    name.kind,
    html`<dialog ${ref(showModal)} aria-labelledby="dialog-title" @close=${dialogs.close} @click=${backdrop}>
      <div class="dialog">
        <div class="dialog-head">
          <h2 id="dialog-title">${title}</h2>
          <button class="plain round" aria-label=${words.close} @click=${dialogs.close}>${icons.clear}</button>
        </div>
        ${content}
        <p role="alert" class="fault">${dialogs.fault}</p>
      </div>
    </dialog>`,
  )}`;
}
