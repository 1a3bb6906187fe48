import { html, nothing, type TemplateResult } from 'lit-html';
import type { App } from '../state/app.ts';
import { chatView } from './chat.ts';
import { dialogView } from './dialogs/dialog.ts';
import { sideView } from './side.ts';
import { signInView } from './sign-in.ts';

/** What is on the screen: signing in, or the two panes, of which a phone shows one. */
export function screenView(app: App): TemplateResult {
  const { session, language, starting } = app;
  const { words } = language;
  document.documentElement.lang = language.tag;
  document.title = titleOf(app);
  if (starting) return html``;
  if (session === null) return signInView(app);
  return html`<main class="panes ${session.chat === null ? 'shows-list' : 'shows-chat'}">
      ${sideView(app, session)}
      <section class="pane" aria-label=${words.openChat}>
        ${
          session.chat === null
            ? html`<p class="empty quiet">${words.chooseChat}</p>`
            : chatView(app, session, session.chat)
        }
      </section>
    </main>
    <p class="unseen" aria-live="polite" data-announcer>${session.announcer.text}</p>
    ${session.dialogs.open === null ? nothing : dialogView(app, session, session.dialogs.open)}`;
}

function titleOf({ session, language }: App): string {
  const unread = session?.client.conversations.get().reduce((sum, one) => sum + one.unread, 0) ?? 0;
  return unread === 0 ? 'Restante' : `(${language.formats.count(unread)}) Restante`;
}
