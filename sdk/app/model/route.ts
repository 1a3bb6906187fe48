import { isId } from './ids.ts';

/** What the address says: a conversation, or null for the list alone. */
export function chatIn(hash: string): string | null {
  const id = /^#\/c\/([^/?#]+)$/.exec(hash)?.[1];
  return id !== undefined && isId(id) ? id : null;
}

export const hashOf = (chat: string | null): string => (chat === null ? '#/' : `#/c/${chat}`);

/** A sign-in by the address: `#token=…&peer=bob`. Null for any other address. */
export function signInFrom(hash: string): { token: string; peer: string | null } | null {
  const given = new URLSearchParams(hash.slice(1));
  const token = given.get('token');
  if (token === null) return null;
  const peer = given.get('peer') ?? given.get('to');
  return { token, peer: peer !== null && isId(peer) ? peer : null };
}
