import { html } from 'lit-html';
import type { App } from '../../state/app.ts';
import { saveReport } from '../../state/report.ts';
import type { Session } from '../../state/session.ts';
import { languageNames, type LanguageCode } from '../../words/language.ts';
import type { DialogParts } from './dialog-parts.ts';

export function settingsDialog(app: App, session: Session): DialogParts {
  const { words, code } = app.language;
  const { dialogs } = session;
  const codes = Object.keys(languageNames) as LanguageCode[];
  return {
    title: words.settings,
    content: html`<fieldset>
        <legend>${words.language}</legend>
        ${codes.map(
          (one) =>
            html`<label class="check" lang=${one}
              ><input type="radio" name="language" .checked=${one === code} @change=${() => app.speak(one)} />
              ${languageNames[one]}</label
            >`,
        )}
      </fieldset>
      <div>
        <button @click=${() => saveReport(session.client)}>${words.report}</button>
        <p class="quiet small">${words.reportHint}</p>
      </div>
      <div>
        <button class="danger" ?disabled=${dialogs.busy} @click=${() => void dialogs.run(app.signOut)}>
          ${words.signOut}
        </button>
        <p class="quiet small">${words.signOutHint}</p>
      </div>`,
  };
}
