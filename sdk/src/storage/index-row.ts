import type { Message } from '../wire.ts';
import type { IndexRow } from './storage.ts';

/** The most characters of a summary. */
const summaryLength = 80;

const textOf = (body: unknown): string => {
  if (typeof body === 'string') return body;
  const { text } = typeof body === 'object' && body !== null ? (body as { text?: unknown }) : {};
  return typeof text === 'string' ? text : '';
};

/** The beginning of a text, without half a character at its end. Bodies of unknown forms have none. */
export const summaryOf = (body: unknown): string =>
  Array.from(textOf(body).slice(0, 2 * summaryLength))
    .slice(0, summaryLength)
    .join('');

export const indexRowOf = ({ conversation, seq, id, sender, at, kind, body, ...message }: Message): IndexRow => ({
  conversation,
  seq,
  id,
  sender,
  at,
  kind,
  class: message.class,
  summary: summaryOf(body),
});
