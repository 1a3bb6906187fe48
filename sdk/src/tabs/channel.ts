import type { Connection, News } from './api.ts';
import type { TabChannel } from './platform.ts';

/** An error in a form that can be copied. */
export type ErrorNote = {
  name: string;
  message: string;
  /** Of a Refusal. */
  code?: string | undefined;
  retryable?: boolean | undefined;
  retryAfterMs?: number | undefined;
};

/** What tabs tell each other. */
export type Note =
  /** Who leads? */
  | { type: 'who' }
  /** I have the lock, and lead in a moment. */
  | { type: 'here' }
  /** I lead. `count`: the news of this term so far. */
  | { type: 'lead'; term: number; count: number; connection: Connection }
  | { type: 'news'; term: number; count: number; news: News }
  | { type: 'do'; id: number; act: string; args: unknown[] }
  | { type: 'done'; id: number; to: string; value?: unknown; error?: ErrorNote }
  | { type: 'looks'; ids: string[] }
  | { type: 'signed-out' };

export type Told = Note & { from: string };

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const areNumbers = (...values: unknown[]): boolean => values.every((value) => typeof value === 'number');

const shapes: Record<Note['type'], (note: Record<string, unknown>) => boolean> = {
  who: () => true,
  here: () => true,
  lead: ({ term, count, connection }) =>
    areNumbers(term, count) &&
    isObject(connection) &&
    isObject(connection['status']) &&
    Array.isArray(connection['features']),
  news: ({ term, count, news }) => areNumbers(term, count) && isObject(news),
  do: ({ id, act, args }) => areNumbers(id) && typeof act === 'string' && Array.isArray(args),
  done: ({ id, to, error }) => areNumbers(id) && typeof to === 'string' && (error === undefined || isObject(error)),
  looks: ({ ids }) => Array.isArray(ids),
  'signed-out': () => true,
};

/** Any script of the origin can write to the channel: what has not the shape of a note is none. */
const isTold = (data: unknown): data is Told =>
  isObject(data) &&
  typeof data['from'] === 'string' &&
  Object.hasOwn(shapes, String(data['type'])) &&
  shapes[data['type'] as Note['type']](data);

export type Channel = { post(note: Note): void; close(): void };

/** The channel of all tabs. It carries no note back to its own tab. */
export function createChannel(
  opened: TabChannel,
  from: string,
  take: (note: Told) => void,
  fault: (error: Error, where: string) => void,
): Channel {
  opened.addEventListener('message', ({ data }) => {
    try {
      if (isTold(data)) take(data);
    } catch (error) {
      fault(error as Error, 'tabs');
    }
  });
  return {
    post(note) {
      try {
        opened.postMessage({ ...note, from });
      } catch (error) {
        fault(error as Error, 'tabs');
      }
    },
    close: () => opened.close(),
  };
}
