import type { Refusal } from '../model/errors.ts';
import type { Gap, SeqRange } from '../model/model.ts';
import type { Accepted, PageItem } from '../model/results.ts';

/**
 * The hot server frames as text, put together from parts that are JSON already: message texts are copied, never parsed.
 * Ids and epochs hold nothing that JSON would have to escape.
 */

const reText = (re: string | undefined): string => (re === undefined ? '' : `"re":"${re}",`);

/** The fields of `accepted`, by WebSocket and HTTP. */
export const acceptedText = (clientId: string, { id, conversation, seq, at, duplicate }: Accepted): string =>
  `"clientId":"${clientId}","message":{"id":"${id}","conversation":"${conversation}","seq":${seq},"at":${at}}${duplicate ? ',"duplicate":true' : ''}`;

export const acceptedFrame = (re: string | undefined, clientId: string, accepted: Accepted): string =>
  `{"type":"accepted",${reText(re)}${acceptedText(clientId, accepted)}}`;

export const itemText = (position: number, text: string): string => `{"position":${position},"message":${text}}`;

/** An item of a large group: it has no place in an inbox. */
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
  `"conversation":"${page.conversation}","messages":[${page.messages.join(',')}],"more":${page.more},"absent":${JSON.stringify(page.absent)}`;

export const historyFrame = (re: string | undefined, page: Parameters<typeof historyText>[0]): string =>
  `{"type":"history",${reText(re)}${historyText(page)}}`;

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
