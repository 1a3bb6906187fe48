import { Refusal } from '../refusal.ts';
import type { Draft } from './api.ts';
import type { OutboxEntry } from './entry.ts';

/**
 * The text of a draft's body. Throws a Refusal if it is larger than the server takes. An amendment may have no body:
 * its text is empty.
 */
export function textOf({ type, body }: Draft, maxBodyBytes: number): string {
  const text = JSON.stringify(body) as string | undefined;
  if (text === undefined && type === 'send') throw new TypeError('a body must be a JSON value');
  if (new TextEncoder().encode(text).byteLength > maxBodyBytes)
    throw new Refusal('too_large', `a body has at most ${maxBodyBytes} bytes`);
  return text ?? '';
}

/** The body of every repetition is the one of now, whatever becomes of the application's object. */
export const newEntry = (
  { type, lane, to, target, ...draft }: Draft,
  text: string,
  own: Pick<OutboxEntry, 'clientId' | 'order' | 'queuedAt'>,
): OutboxEntry => ({
  ...own,
  lane,
  ...(to === undefined ? {} : { to }),
  type,
  kind: draft.kind ?? 'text',
  body: text === '' ? undefined : (JSON.parse(text) as unknown),
  class: draft.class ?? 'normal',
  ...(draft.level === undefined ? {} : { level: draft.level }),
  ...(target === undefined ? {} : { target }),
  priority: draft.priority ?? (draft.class === 'important' ? 'high' : 'normal'),
  state: 'queued',
  attempts: 0,
});
