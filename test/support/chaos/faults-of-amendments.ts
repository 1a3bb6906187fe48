import type { Recorded } from '../../../tools/rehearsal/chaos/recording.ts';
import {
  answeredAmendments,
  bodyOf,
  dumped,
  everywhere,
  finalPages,
  type Item,
  type Json,
  type Mutation,
  numbered,
  rewrite,
} from './planting.ts';

/** Faults of recalls and edits: old bodies that come back, amendments that are lost or told to the wrong people. */

const finalMessages = (events: readonly Recorded[]): Json[] =>
  finalPages(events).flatMap(({ json }) => json['messages'] as Json[]);

const messagesIn = (json: Json): Json[] => [
  ...((json['messages'] as Json[] | undefined) ?? []),
  ...((json['items'] as Item[] | undefined) ?? []).map(({ message }) => message),
];

const amendmentOf = (message: Json): { action: string; amendSeq?: number } | undefined =>
  message['amended'] as { action: string; amendSeq?: number } | undefined;

const isAmendment = (message: Json): boolean => message['kind'] === 'restante.amend';

/**
 * Amendments that stand in the history at the end and are the newest of their message, each with that message. Somebody
 * has the answer: of what was never answered nothing is promised.
 */
function newest(events: readonly Recorded[], action?: string): { amendment: Json; message: Json }[] {
  const answered = answeredAmendments(events);
  const messages = finalMessages(events);
  return messages
    .filter((one) => isAmendment(one) && answered.has(`${String(one['clientId'])} ${String(one['seq'])}`))
    .filter(({ body }) => action === undefined || (body as Json)['action'] === action)
    .flatMap((amendment) => {
      const message = messages.find(
        (one) => one['conversation'] === amendment['conversation'] && amendmentOf(one)?.amendSeq === amendment['seq'],
      );
      return message === undefined ? [] : [{ amendment, message }];
    });
}

const asSent = (message: Json, body: unknown): Json => {
  const { amended: _, ...rest } = message;
  return { ...rest, body };
};

/** Changes one message wherever it is seen from a line on; `only`: the events in which. */
const inEvents = (
  events: readonly Recorded[],
  id: unknown,
  change: (message: Json) => Json,
  only: (event: Recorded) => boolean,
): Recorded[] => rewrite(events, (json, event) => (only(event) ? everywhere(json, id as string, change) : undefined));

const requestOf = (events: readonly Recorded[], event: Recorded): string =>
  event.type === 'answer'
    ? String(
        (events.find((one) => one.type === 'request' && one.request === event.request) as { path?: string }).path ?? '',
      )
    : '';

export const faultsOfAmendments: readonly Mutation[] = [
  {
    name: 'a recalled body that comes back in history',
    breaks: 'I14',
    plant(events) {
      const some = newest(events, 'recall')[0]?.message;
      if (some === undefined) return null;
      const end = dumped(events);
      let done = false;
      const planted = inEvents(
        events,
        some['id'],
        (message) => asSent(message, { text: 'what was recalled' }),
        (event) => {
          if (done || event.line < end || event.type !== 'received' || !event.text.includes('"history"')) return false;
          return (done = event.text.includes(`"id":"${String(some['id'])}"`));
        },
      );
      return done ? planted : null;
    },
    also: ['I5'],
  },
  {
    name: 'an old body that comes back in an inbox at the end',
    breaks: 'I14',
    also: ['I5'],
    plant(events) {
      const end = dumped(events);
      for (const { message: some } of newest(events)) {
        const holds = (event: Recorded): boolean =>
          event.type === 'answer' &&
          event.line > end &&
          requestOf(events, event).startsWith('/inbox') &&
          event.text.includes(`"id":"${String(some['id'])}"`) &&
          !event.text.includes('withheld');
        if (!events.some(holds)) continue;
        return inEvents(events, some['id'], (message) => asSent(message, { text: 'old' }), holds);
      }
      return null;
    },
  },
  {
    name: 'an amendment that was answered and is nowhere',
    breaks: 'I1',
    // Its seq is missing then.
    also: ['I2'],
    plant(events) {
      const some = newest(events)[0]?.amendment;
      if (some === undefined) return null;
      const gone = (message: Json): boolean => message['id'] === some['id'];
      return rewrite(events, (json) => {
        const messages = json['messages'] as Json[] | undefined;
        const items = json['items'] as Item[] | undefined;
        if (messages?.some(gone) === true) return { ...json, messages: messages.filter((one) => !gone(one)) };
        if (items?.some(({ message }) => gone(message)) !== true) return undefined;
        const rest = items.filter(({ message }) => !gone(message));
        return rest.length === 0 && json['type'] === 'deliver' ? null : { ...json, items: rest };
      });
    },
  },
  {
    name: 'an edit that reads as another one at the end',
    breaks: 'I5',
    plant(events) {
      const some = newest(events, 'edit')[0]?.message;
      if (some === undefined) return null;
      return rewrite(events, (json) =>
        everywhere(json, some['id'] as string, (message) =>
          amendmentOf(message)?.amendSeq === undefined ? message : { ...message, body: { text: 'of another edit' } },
        ),
      );
    },
  },
  {
    name: 'an amendment after a recall',
    breaks: 'I14',
    plant(events) {
      // The first of two edits becomes a recall.
      const messages = finalMessages(events).filter(isAmendment);
      const amendOf = (message: Json): { seq: number; action: string } =>
        message['body'] as { seq: number; action: string };
      const first = messages.find((one) =>
        messages.some(
          (other) =>
            other['conversation'] === one['conversation'] &&
            amendOf(other).seq === amendOf(one).seq &&
            (other['seq'] as number) > (one['seq'] as number),
        ),
      );
      if (first === undefined) return null;
      return rewrite(events, (json) =>
        everywhere(json, first['id'] as string, (message) => ({
          ...message,
          body: { ...(message['body'] as Json), action: 'recall' },
        })),
      );
    },
  },
  {
    name: 'an amendment that nobody asked for',
    breaks: 'I3',
    // The device that asked for it was not pushed it.
    also: ['I7'],
    plant(events) {
      const some = newest(events, 'edit')[0]?.amendment;
      if (some === undefined) return null;
      return rewrite(events, (json) =>
        everywhere(json, some['id'] as string, (message) => ({ ...message, clientId: 'of-nobody' })),
      );
    },
  },
  {
    name: 'what a message became, told to who may not see the message',
    breaks: 'I9',
    plant(events) {
      let done = false;
      const planted = rewrite(events, (json) => {
        if (done || json['type'] !== 'deliver') return undefined;
        const [item] = json['items'] as [Item];
        if (!isAmendment(item.message)) return undefined;
        const body = item.message['body'] as Json;
        if (body['action'] !== 'edit' || 'body' in body || body['superseded'] === true) return undefined;
        done = true;
        return { ...json, items: [{ ...item, message: { ...item.message, body: { ...body, body: 'leaked' } } }] };
      });
      return done ? planted : null;
    },
  },
  {
    name: 'two texts of one amended message',
    breaks: 'I5',
    plant(events) {
      const some = newest(events, 'edit')[0]?.message;
      const end = dumped(events);
      if (some === undefined) return null;
      // Who may not see the amendment is shown neither text.
      const shows = (event: Recorded): boolean =>
        messagesIn(bodyOf(event) ?? {}).some(
          (message) => message['id'] === some['id'] && amendmentOf(message)?.amendSeq !== undefined,
        );
      const at = events.findIndex((event) => event.line > end && event.type === 'received' && shows(event));
      if (at === -1) return null;
      const here = events[at]!.line;
      return numbered(
        inEvents(
          events,
          some['id'],
          (message) =>
            amendmentOf(message)?.amendSeq === undefined ? message : { ...message, body: { text: 'else' } },
          ({ line }) => line === here,
        ),
      );
    },
  },
];
