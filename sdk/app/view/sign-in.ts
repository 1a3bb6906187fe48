import { html, nothing, type TemplateResult } from 'lit-html';
import type { App } from '../state/app.ts';
import { languageNames, type LanguageCode } from '../words/language.ts';
import { avatar } from './avatar.ts';

const demoUsers = ['alice', 'bob', 'carol', 'dave'];

/** Whether the gateway signs tokens for demo users: it says so in the page. */
const hasDemo = (): boolean => document.querySelector<HTMLMetaElement>('meta[name=demo-users]')?.content === 'on';

/** Who uses the page: one click as a demo user, or a token. */
export function signInView(app: App): TemplateResult {
  const { words, code } = app.language;
  const stays = (): boolean => document.querySelector<HTMLInputElement>('#stay')?.checked === true;
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const token = new FormData(event.target as HTMLFormElement).get('token');
    app.signInWith(typeof token === 'string' ? token : '', stays());
  };
  const other = (Object.keys(languageNames) as LanguageCode[]).find((one) => one !== code)!;
  return html`<main class="sign-in">
    <div class="card">
      <img src="/app/files/icon.svg" alt="" width="56" height="56" />
      <h1>${words.welcome}</h1>
      <p class="quiet">${words.welcomeMore}</p>
      ${
        hasDemo()
          ? html`<h2>${words.demoUsers}</h2>
              <ul class="demo-users">
                ${demoUsers.map(
                  (user) =>
                    html`<li>
                      <button type="button" @click=${() => app.signInAs(user, stays())}>
                        ${avatar(user, user)} <span dir="auto">${user}</span>
                      </button>
                    </li>`,
                )}
              </ul>
              <p class="quiet small">${words.demoHint}</p>
              <p class="divider quiet small"><span>${words.orToken}</span></p>`
          : nothing
      }
      <form @submit=${submit}>
        <label for="token">${words.token}</label>
        <div class="field">
          <input
            id="token"
            name="token"
            type="password"
            autocomplete="off"
            spellcheck="false"
            required
            aria-describedby="token-hint"
          />
          <button class="primary">${words.signIn}</button>
        </div>
        <p id="token-hint" class="quiet small"><code>${words.tokenHint}</code></p>
      </form>
      <label class="check"><input id="stay" type="checkbox" /> ${words.staySignedIn}</label>
      <p role="alert" class="fault">${app.notice}</p>
      <p>
        <button class="plain" type="button" lang=${other} @click=${() => app.speak(other)}>
          ${languageNames[other]}
        </button>
      </p>
    </div>
  </main>`;
}
