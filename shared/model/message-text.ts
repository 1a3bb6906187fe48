import { hash } from 'node:crypto';
import type { Message, MessageClass } from './model.ts';

/**
 * A message's text: its JSON, serialised once and then only joined, so that every path shows the same bytes.
 *
 *   {"id":"<id>","conversation":"<id>","seq":<n>,"at":<ms>, ┊ "sender":…,"clientId":…,"kind":…,"body":…,"class":…}
 *   └─ head: known when the message is accepted ───────────┘ ┊ └─ tail: built by the gateway before that ────────┘
 *
 * The head's fields hold no quotes or backslashes (they are ids and numbers), so they can be read without parsing; Lua
 * does the same (inbox-cut.include.lua).
 */

/** The part that the gateway serialises before the message has a seq. `bodyJson` is the body's JSON. */
export const messageTail = (
  sender: string,
  clientId: string,
  kind: string,
  bodyJson: string,
  messageClass: MessageClass,
): string =>
  `"sender":"${sender}","clientId":"${clientId}","kind":"${kind}","body":${bodyJson},"class":"${messageClass}"}`;

/** The message's id: its partition and its stream entry's id, so that ids rise with seq. */
export const messageId = (partition: number, streamId: string): string => `${partition}-${streamId}`;

/** The inverse of `messageId`. */
export function entryOf(id: string): { partition: number; streamId: string } {
  const dash = id.indexOf('-');
  return { partition: Number(id.slice(0, dash)), streamId: id.slice(dash + 1) };
}

/** Milliseconds since 1970 in a stream entry's id: when it was accepted, unless the entry says so itself (entry.ts). */
export const acceptedAt = (streamId: string): number => Number(streamId.slice(0, streamId.indexOf('-')));

/** What the text of an entry is made of; `at` in ms since 1970. */
export type TextParts = { streamId: string; conversation: string; seq: number; at: number; tail: string };

export const messageText = (partition: number, { streamId, conversation, seq, at, tail }: TextParts): string =>
  `{"id":"${partition}-${streamId}","conversation":"${conversation}","seq":${seq},"at":${at},${tail}`;

const head = /^\{"id":"([^"]+)","conversation":"([^"]+)","seq":(\d+),"at":(\d+),/;

/** The head's fields of a text, without parsing the rest. Throws when it is no message text. */
export function readHead(text: string): { id: string; conversation: string; seq: number; at: number } {
  const found = head.exec(text);
  if (found === null) throw new Error('not a message text');
  return { id: found[1]!, conversation: found[2]!, seq: Number(found[3]), at: Number(found[4]) };
}

const origin = /^\{"id":"[^"]+","conversation":"([^"]+)","seq":(\d+),"at":\d+,"sender":"([^"]+)"/;

/** Of which conversation a text is, and who wrote it, without parsing the rest. Throws when it is no message text. */
export function readOrigin(text: string): { conversation: string; seq: number; sender: string } {
  const found = origin.exec(text);
  if (found === null) throw new Error('not a message text');
  return { conversation: found[1]!, seq: Number(found[2]), sender: found[3]! };
}

export const parseMessage = (text: string): Message => JSON.parse(text) as Message;

/**
 * Of a message, `json` being its body as it is stored: equal for equal kind, class and body, and practically only then.
 */
export const fingerprint = (kind: string, messageClass: MessageClass, json: string): string =>
  hash('sha1', `${kind} ${messageClass} ${json}`, 'base64').slice(0, 22);

/** Of a body's JSON alone, for comparing what an amendment says with what is in force. */
export const bodyHash = (json: string): string => hash('sha1', json, 'base64').slice(0, 22);
