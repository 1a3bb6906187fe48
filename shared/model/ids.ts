import { hash } from 'node:crypto';

/** The id of the direct conversation of two users. It does not depend on their order. */
export function directConversation(one: string, other: string): string {
  return `d_${hash('sha256', sortedPair(one, other).join('\n'), 'base64url')}`;
}

export const isDirect = (conversation: string): boolean => conversation.startsWith('d_');

export const sortedPair = (one: string, other: string): [string, string] => (one < other ? [one, other] : [other, one]);
