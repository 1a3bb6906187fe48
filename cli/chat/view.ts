import type { Status } from '../../sdk/src/client/api.ts';
import { membershipKind, type MembershipBody, type Message } from '../../shared/model/model.ts';

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

/** What becomes of the connection, or null for what needs no line. */
export function statusLine({ state, code, reason, retryAt }: Status, name: string): string | null {
  const why = harmless(reason || `code ${code}`);
  if (state === 'connected') return `(connected to ${name})`;
  if (state === 'closed') return `(closed: ${code === undefined ? why : `${code} ${harmless(reason ?? '')}`})`;
  if (state !== 'waiting') return null;
  const waitMs = Math.max(0, (retryAt ?? 0) - Date.now());
  return `(not connected: ${why}; next try in ${(waitMs / 1000).toFixed(1)} s)`;
}
