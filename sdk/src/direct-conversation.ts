import { sha256 } from './sha256.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function base64url(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index < bytes.length; index += 3) {
    const [one, two, three] = [bytes[index]!, bytes[index + 1], bytes[index + 2]];
    text += alphabet[one >> 2]! + alphabet[((one & 3) << 4) | ((two ?? 0) >> 4)]!;
    if (two !== undefined) text += alphabet[((two & 15) << 2) | ((three ?? 0) >> 6)]!;
    if (three !== undefined) text += alphabet[three & 63]!;
  }
  return text;
}

/**
 * The id of the direct conversation of two users, which does not depend on their order. It is computed here so that the
 * conversation is one thing from the beginning, before the server has named it.
 */
export function directConversation(one: string, other: string): string {
  const pair = one < other ? `${one}\n${other}` : `${other}\n${one}`;
  return `d_${base64url(sha256(new TextEncoder().encode(pair)))}`;
}
