import type { Message } from '../../src/entries/client.ts';
import type { Words } from '../words/english.ts';
import { membershipKind, membershipOf, textOf } from './body.ts';

type Said = Pick<Message, 'sender' | 'kind' | 'body' | 'amended'>;

/** A message as one text: what it says, or words for what it is. `said`: its author's own words. */
export function shownText(message: Said, words: Words): { text: string; said: boolean } {
  const { sender, kind, body, amended } = message;
  if (amended?.action === 'recall') return { text: words.recalled, said: false };
  if (amended?.action === 'withheld') return { text: words.withheld, said: false };
  if (kind === membershipKind) return { text: membershipText(sender, body, words) ?? words.notText(kind), said: false };
  const text = textOf(body);
  return text === null ? { text: words.notText(kind), said: false } : { text, said: true };
}

function membershipText(sender: string, body: unknown, words: Words): string | null {
  const change = membershipOf(body);
  if (change === null) return null;
  const { user, action } = change;
  if (action === 'left') return words.left(user);
  if (action === 'removed') return words.removed(sender, user);
  return sender === user ? words.joined(user) : words.added(sender, user);
}
