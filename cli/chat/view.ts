import { membershipKind, type MembershipBody, type Message, type SeqRange } from '../../shared/model/model.ts';

/** Other users write the messages: their text must not be able to move the cursor or recolour the terminal. */
export const harmless = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character === '\n' ? ' ' : character === '\u200d' ? character : '\ufffd',
  );

export const clock = (at: number): string => new Date(at).toLocaleTimeString('en-GB');

/** The text of a message: `{text}`, a string, or the body as JSON. */
export function textOf(body: unknown): string {
  if (typeof body === 'string') return body;
  if (typeof body === 'object' && body !== null && 'text' in body && typeof body.text === 'string') return body.text;
  return JSON.stringify(body);
}

/** `3`, `3 to 7`, or several of them. */
export const rangesText = (ranges: SeqRange[]): string =>
  ranges.map(({ fromSeq, toSeq }) => (fromSeq === toSeq ? `${fromSeq}` : `${fromSeq} to ${toSeq}`)).join(', ');

/** One line for a message; `here` is the conversation on the screen, any other one is named. */
export function messageLine(message: Message, here: string | null): string {
  const where = message.conversation === here ? '' : `[${message.conversation}] `;
  if (message.kind === membershipKind) {
    const { user, action } = message.body as MembershipBody;
    const by = message.sender === user ? '' : ` (by ${message.sender})`;
    return harmless(`${clock(message.at)} ${where}* ${user} ${action === 'removed' ? 'was removed' : action}${by}`);
  }
  if (message.body === null) return harmless(`${clock(message.at)} ${where}${message.sender}: (recalled)`);
  return harmless(`${clock(message.at)} ${where}${message.sender}: ${textOf(message.body)}`);
}
