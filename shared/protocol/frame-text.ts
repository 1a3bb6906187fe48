import type { Refusal } from '../model/errors.ts';
import type { Level } from '../model/levels.ts';
import type { Gap, SeqRange } from '../model/model.ts';
import type { Accepted, Amended, PageItem } from '../model/results.ts';
import type { ServerFrame } from './server-frames.ts';

/**
 * Every frame that the server sends, as text. Frames are made in this file only.
 *
 * Frequent frames are joined from parts that are JSON already: message texts are copied and never parsed. Ids and
 * epochs contain no character that JSON must escape.
 */

const typeStart = '{"type":"'.length;

/** The type of a frame whose text this is. */
export const frameTypeOf = (text: string): string => text.slice(typeStart, text.indexOf('"', typeStart));

/**
 * What a frame says of how far somebody is: the part before its last field, which is `seq`, names what it is about.
 * Null for a frame of another type.
 */
export function progressOf(text: string): { key: string; seq: number } | null {
  if (!text.startsWith('{"type":"read",') && !text.startsWith('{"type":"receipt",')) return null;
  const colon = text.lastIndexOf(':');
  return { key: text.slice(0, colon), seq: Number(text.slice(colon + 1, -1)) };
}

const reText = (re: string | undefined): string => (re === undefined ? '' : `"re":"${re}",`);

/** The fields of `accepted`, by WebSocket and HTTP. `level`: what was reached. */
export const acceptedText = (
  clientId: string,
  { id, conversation, seq, at, duplicate }: Accepted,
  level: Level,
): string =>
  `"clientId":"${clientId}",` +
  `"message":{"id":"${id}","conversation":"${conversation}","seq":${seq},"at":${at}},"level":"${level}"` +
  (duplicate ? ',"duplicate":true' : '');

export const acceptedFrame = (re: string | undefined, clientId: string, accepted: Accepted, level: Level): string =>
  `{"type":"accepted",${reText(re)}${acceptedText(clientId, accepted, level)}}`;

/** The fields of `amended`, by WebSocket and HTTP. `level`: what was reached. */
export const amendedAnswerText = (
  { conversation, seq, action, by, at, version, amendSeq, accepted }: Amended,
  level: Level,
): string =>
  `"conversation":"${conversation}","seq":${seq},"action":"${action}","by":"${by}","at":${at},` +
  `"version":${version},"amendSeq":${amendSeq},"level":"${level}"${accepted.duplicate ? ',"duplicate":true' : ''}`;

export const amendedFrame = (re: string | undefined, amended: Amended, level: Level): string =>
  `{"type":"amended",${reText(re)}${amendedAnswerText(amended, level)}}`;

/** One item of an inbox. `text` is the JSON of its message. */
export const itemText = (position: number, text: string): string => `{"position":${position},"message":${text}}`;

/** One item of a large group: it has no position, since no inbox stores it. `text` is the JSON of its message. */
export const largeItemText = (text: string): string => `{"message":${text}}`;

/** `items` are item texts, joined by commas. */
export const deliverFrame = (items: string): string => `{"type":"deliver","items":[${items}]}`;

const gapText = ({ position, conversation, fromSeq, toSeq }: Gap): string =>
  `"position":${position},"conversation":"${conversation}","fromSeq":${fromSeq},"toSeq":${toSeq}`;

export const gapFrame = (gap: Gap): string => `{"type":"gap",${gapText(gap)}}`;

/** The fields of `page`, by WebSocket and HTTP. */
export const pageText = (page: {
  items: PageItem[];
  gaps: Gap[];
  next: number;
  more: boolean;
  epoch: string;
}): string =>
  `"items":[${page.items.map(({ position, text }) => itemText(position, text)).join(',')}],` +
  `"gaps":[${page.gaps.map((gap) => `{${gapText(gap)}}`).join(',')}],` +
  `"next":${page.next},"more":${page.more},"epoch":${JSON.stringify(page.epoch)}`;

export const pageFrame = (re: string | undefined, page: Parameters<typeof pageText>[0]): string =>
  `{"type":"page",${reText(re)}${pageText(page)}}`;

/** The fields of `history`, by WebSocket and HTTP. `messages` are message texts. */
export const historyText = (page: {
  conversation: string;
  messages: string[];
  more: boolean;
  absent: SeqRange[];
}): string =>
  `"conversation":"${page.conversation}","messages":[${page.messages.join(',')}],` +
  `"more":${page.more},"absent":${JSON.stringify(page.absent)}`;

export const historyFrame = (re: string | undefined, page: Parameters<typeof historyText>[0]): string =>
  `{"type":"history",${reText(re)}${historyText(page)}}`;

type WelcomeFields = Omit<ServerFrame<'welcome'>, 'type' | 're' | 'reset'> & { reset?: boolean };

export const welcomeFrame = (re: string | undefined, fields: WelcomeFields): string =>
  JSON.stringify({ type: 'welcome', re, ...fields });

/** The answer to `read`, and without `re` what another device of the user hears: the read seq that now holds. */
export const readFrame = (re: string | undefined, conversation: string, seq: number): string =>
  `{"type":"read",${reText(re)}"conversation":"${conversation}","seq":${seq}}`;

export const readsFrame = (re: string | undefined, conversations: ServerFrame<'reads'>['conversations']): string =>
  JSON.stringify({ type: 'reads', re, conversations });
type Presence = { online: boolean; lastSeen: number | null };

/** The field `users` of presence, by WebSocket and HTTP. `lastSeen` in milliseconds since 1970. */
export function presenceText(users: Iterable<readonly [string, Presence]>): string {
  let text = '';
  for (const [user, { online, lastSeen }] of users)
    text += `${text === '' ? '' : ','}"${user}":` + `{"online":${online},"lastSeen":${lastSeen}}`;
  return '"users":{' + text + '}';
}

/** The answer to `presence`, or without `re` what changed. */
export const presenceFrame = (re: string | undefined, users: Parameters<typeof presenceText>[0]): string =>
  `{"type":"presence",${reText(re)}${presenceText(users)}}`;

export const typingFrame = (conversation: string, user: string, stop: boolean): string =>
  `{"type":"typing","conversation":"${conversation}","user":"${user}"${stop ? ',"stop":true' : ''}}`;

/** How far a member has received or read a conversation. Its last field is the seq: see `progressOf`. */
export const receiptFrame = (conversation: string, user: string, kind: 'received' | 'read', seq: number): string =>
  `{"type":"receipt","conversation":"${conversation}","user":"${user}","kind":"${kind}","seq":${seq}}`;

/** The fields of `receipts`, by WebSocket and HTTP. */
export const receiptsText = (conversation: string, members: ServerFrame<'receipts'>['members']): string =>
  `"conversation":"${conversation}","members":${JSON.stringify(members)},"more":false`;

export const receiptsFrame = (re: string | undefined, ...told: Parameters<typeof receiptsText>): string =>
  `{"type":"receipts",${reText(re)}${receiptsText(...told)}}`;

/** The answer to `reauth`. `expiresAt` in milliseconds since 1970. */
export const okFrame = (re: string | undefined, expiresAt: number): string =>
  `{"type":"ok",${reText(re)}"expiresAt":${expiresAt}}`;

/** The answer to `ping`. `now` in milliseconds since 1970. */
export const pongFrame = (re: string | undefined, head: number, epoch: string, now: number): string =>
  `{"type":"pong",${reText(re)}"head":${head},"epoch":${JSON.stringify(epoch)},"now":${now}}`;

/** Tells a user's devices what it has set. */
export const settingsFrame = (version: number, changed: ServerFrame<'settings'>['changed']): string =>
  JSON.stringify({ type: 'settings', version, changed });

/** Tells a client that the gateway will stop, and after how many milliseconds to connect again. */
export const drainFrame = (reconnectAfterMs: number): string =>
  `{"type":"drain","reconnectAfterMs":${reconnectAfterMs}}`;

export const errorFrame = (re: string | undefined, clientId: string | undefined, refusal: Refusal): string =>
  JSON.stringify({
    type: 'error',
    re,
    clientId,
    code: refusal.code,
    message: refusal.message,
    retryable: refusal.retryable,
    retryAfterMs: refusal.retryAfterMs,
  });
