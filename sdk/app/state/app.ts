import { chatIn, hashOf, signInFrom } from '../model/route.ts';
import { isLanguage, languageOf, preferred, type Language, type LanguageCode } from '../words/language.ts';
import { createKept } from './kept.ts';
import { createSession, type Session } from './session.ts';
import { forgetSignIn, rememberedSignIn, rememberSignIn, signInOf, type SignIn } from './sign-in.ts';

/** The whole app: who is signed in, in which language, and what the address shows. */
export type App = {
  readonly language: Language;
  readonly session: Session | null;
  /** Nothing is known yet: the storage is being read. */
  readonly starting: boolean;
  /** Why somebody has to sign in, in words; empty the first time. */
  readonly notice: string;
  speak(code: LanguageCode): void;
  signInAs(user: string, stay: boolean): void;
  signInWith(token: string, stay: boolean): void;
  signOut(): Promise<void>;
  /** Signs in again with what is known, for example where another window took over. */
  reconnect(): void;
  /** Shows a conversation, or the list alone; the address says it too. */
  go(conversation: string | null): void;
};

const languageKey = 'restante:language';

function keptLanguage(): LanguageCode | null {
  try {
    const code = localStorage.getItem(languageKey);
    return isLanguage(code) ? code : null;
  } catch {
    return null;
  }
}

function noteLanguage(code: LanguageCode): void {
  try {
    localStorage.setItem(languageKey, code);
  } catch {
    // Forbidden: it lasts as long as the page.
  }
}

export function createApp(changed: () => void): App {
  const kept = createKept();
  let language = languageOf(keptLanguage() ?? preferred(navigator.languages), navigator.languages);
  let session: Session | null = null;
  let starting = true;
  let notice = '';

  const show = (): void => session?.open(chatIn(location.hash));

  const begin = (signIn: SignIn): Session => {
    notice = '';
    const own = createSession({
      signIn,
      kept,
      language: () => language,
      changed,
      refused: (reason) => end(reason === 'demo' ? language.words.demoRefused : language.words.tokenRefused),
    });
    session = own;
    show();
    changed();
    return own;
  };

  const end = (why: string): void => {
    session?.close();
    session = null;
    notice = why;
    void forgetSignIn(kept);
    changed();
  };

  const enter = (signIn: SignIn, stay: boolean): void => {
    void rememberSignIn(kept, signIn, stay);
    begin(signIn);
  };

  /**
   * Signs in by the address, if it has a token. It leaves the address at once: it must not stay in the history of the
   * browser.
   */
  const enterByAddress = async (): Promise<boolean> => {
    const given = signInFrom(location.hash);
    if (given === null) return false;
    history.replaceState(null, '', location.pathname);
    const signIn = signInOf(given.token);
    notice = language.words.notAToken;
    changed();
    if (signIn === null) return true;
    session?.close();
    const { client } = begin(signIn);
    if (given.peer === null) return true;
    await client.connect();
    if (session?.client === client) app.go(client.direct(given.peer).id);
    return true;
  };

  const start = async (): Promise<void> => {
    const remembered = signInFrom(location.hash) === null ? await rememberedSignIn(kept) : null;
    starting = false;
    if (remembered !== null) begin(remembered);
    else await enterByAddress();
    changed();
  };

  const app: App = {
    get language() {
      return language;
    },
    get session() {
      return session;
    },
    get starting() {
      return starting;
    },
    get notice() {
      return notice;
    },
    speak(code) {
      noteLanguage(code);
      language = languageOf(code, navigator.languages);
      changed();
    },
    signInAs: (user, stay) => enter({ user, token: null }, stay),
    signInWith(token, stay) {
      const signIn = signInOf(token.trim());
      if (signIn !== null) return enter(signIn, stay);
      notice = language.words.notAToken;
      changed();
    },
    async signOut() {
      await session?.signOut();
      end(language.words.signedOut);
      history.replaceState(null, '', location.pathname);
    },
    reconnect: () => void session?.client.connect().catch(() => undefined),
    go(conversation) {
      if (chatIn(location.hash) === conversation) return show();
      location.hash = hashOf(conversation);
    },
  };
  addEventListener('hashchange', () => {
    enterByAddress().then((entered) => entered || show(), changed);
  });
  start().catch(changed);
  return app;
}
