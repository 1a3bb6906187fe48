import { isId } from './ids.ts';

/** The user that a token names, without proof: the server checks it. Null for what is no token. */
export function userOf(token: string): string | null {
  try {
    const part = token.split('.')[1]!.replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0));
    const { sub } = JSON.parse(new TextDecoder().decode(bytes)) as { sub?: unknown };
    return typeof sub === 'string' && isId(sub) ? sub : null;
  } catch {
    return null;
  }
}
