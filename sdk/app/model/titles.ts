import type { ConversationInfo } from '../../src/entries/client.ts';
import type { Words } from '../words/english.ts';

/** What a conversation is called: its name, the other user, or in words what it is. */
export function titleOf({ kind, name, peer, id }: ConversationInfo, words: Words): string {
  if (name !== null && name.trim() !== '') return name;
  return peer ?? (kind === 'group' ? words.group : id);
}

/** One or two letters for a round picture. Marks of direction and other signs are passed over. */
export function initialsOf(title: string): string {
  const letters = title.match(/[\p{L}\p{N}]\p{M}*/gu) ?? [];
  const words = title.match(/[\p{L}\p{N}]\p{M}*[\p{L}\p{N}\p{M}]*/gu) ?? [];
  const second = words.length > 1 ? (words.at(-1)!.match(/^[\p{L}\p{N}]\p{M}*/u)?.[0] ?? '') : '';
  return `${letters[0] ?? '#'}${second}`.toLocaleUpperCase();
}

/** One of the colours of pictures and names, always the same for one id. */
export function hueOf(id: string): number {
  let sum = 0;
  for (const char of id) sum = (sum * 31 + char.codePointAt(0)!) % 0x7fffffff;
  return sum % 8;
}
