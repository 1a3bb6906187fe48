import { html } from 'lit-html';
import type { App } from '../../state/app.ts';
import type { Session } from '../../state/session.ts';
import type { DialogParts } from './dialog-parts.ts';

type Question = { title: string; question: string; yes: string };

function confirmation(app: App, { dialogs }: Session, { title, question, yes }: Question, act: () => Promise<void>) {
  const { words } = app.language;
  return {
    title,
    content: html`<p>${question}</p>
      <div class="buttons">
        <button @click=${dialogs.close} autofocus>${words.cancel}</button>
        <button class="danger" ?disabled=${dialogs.busy} @click=${() => void dialogs.run(act)}>${yes}</button>
      </div>`,
  };
}

/** The recall is kept and repeated like a message, so the dialog need not wait for the server. */
export function recallDialog(app: App, session: Session, conversation: string, seq: number): DialogParts {
  const { words } = app.language;
  const question = { title: words.recall, question: words.recallSure, yes: words.yesDelete };
  return confirmation(app, session, question, async () => {
    session.client.conversation(conversation).amend(seq, { action: 'recall' });
  });
}

export function leaveDialog(app: App, session: Session, conversation: string): DialogParts {
  const { words } = app.language;
  const question = { title: words.leaveGroup, question: words.leaveSure, yes: words.yesLeave };
  return confirmation(app, session, question, async () => {
    await session.client.conversation(conversation).leave();
    app.go(null);
  });
}
