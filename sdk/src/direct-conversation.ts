import { sha256 } from './sha256.ts';

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace('=', '');

/**
 * The id of the direct conversation of two users, which does not depend on their order. It is computed here so that the
 * conversation is one thing from the beginning, before the server has named it.
 */
export function directConversation(one: string, other: string): string {
  const pair = one < other ? `${one}\n${other}` : `${other}\n${one}`;
  return `d_${base64url(sha256(new TextEncoder().encode(pair)))}`;
}
