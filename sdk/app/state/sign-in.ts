import { isId } from '../model/ids.ts';
import { userOf } from '../model/token.ts';
import type { Kept } from './kept.ts';

/** Who uses this page. A demo user's tokens are signed by the gateway, again and again. */
export type SignIn = { user: string; token: string | null };

const key = 'sign-in';

const isSignIn = (value: unknown): value is SignIn =>
  typeof value === 'object' && value !== null && 'user' in value && typeof value.user === 'string' && isId(value.user);

/** A demo user stays in this tab over a reload, so that two tabs can be two users. */
function inTab(): SignIn | null {
  try {
    const user = sessionStorage.getItem(key);
    return user === null ? null : { user, token: null };
  } catch {
    return null;
  }
}

function noteInTab(user: string | null): void {
  try {
    if (user === null) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, user);
  } catch {
    // Forbidden: the next load asks again.
  }
}

export async function rememberedSignIn(kept: Kept): Promise<SignIn | null> {
  const found = inTab() ?? (await kept.get(key));
  return isSignIn(found) ? found : null;
}

/** A token is stored only if the user wants to stay signed in. */
export async function rememberSignIn(kept: Kept, signIn: SignIn, stay: boolean): Promise<void> {
  noteInTab(signIn.token === null ? signIn.user : null);
  await kept.set(key, stay ? signIn : undefined);
}

export async function forgetSignIn(kept: Kept): Promise<void> {
  noteInTab(null);
  await kept.set(key, undefined);
}

export function signInOf(token: string): SignIn | null {
  const user = userOf(token);
  return user === null ? null : { user, token };
}

/** The server signs no tokens for demo users. */
export class DemoRefused extends Error {
  override readonly name = 'DemoRefused';
}

/** The token of a sign-in; a demo user's comes from the gateway. */
export async function tokenOf({ user, token }: SignIn, signal: AbortSignal): Promise<string> {
  if (token !== null) return token;
  const response = await fetch('/dev/token', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
    signal,
  });
  if (response.status === 404) throw new DemoRefused('no tokens for demo users');
  if (!response.ok) throw new Error(`the token was answered with ${response.status}`);
  return ((await response.json()) as { token: string }).token;
}
