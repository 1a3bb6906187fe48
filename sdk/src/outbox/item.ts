import { createStore, type OwnStore } from '../view/store.ts';
import type { Accepted } from '../wire.ts';
import type { SendHandle, SendStatus } from './api.ts';
import type { OutboxEntry } from './entry.ts';

/** An entry that is not accepted yet, with what only this process knows of it. */
export type Item = {
  entry: OutboxEntry;
  /** Not on its way before it is stored. */
  isStored: boolean;
  /** Where it outlives this process. */
  isPersisted: boolean;
  /** When it became known to this process. */
  readonly since: number;
  /** The length of its text. */
  readonly size: number;
  /** How often in a row the server itself failed at it. */
  internals: number;
  readonly handle: SendHandle;
  readonly status: OwnStore<SendStatus>;
  cancelled: boolean;
  readonly settle: { resolve(answer: Accepted['message']): void; reject(error: Error): void; stored(): void };
};

export type ItemOptions = {
  isStored: boolean;
  isPersisted: boolean;
  since: number;
  cancel(item: Item): boolean;
  retry(item: Item): boolean;
  fault(error: Error, where: string): void;
};

export const isWaiting = ({ entry: { state } }: Item): boolean => state === 'queued' || state === 'sending';

export function createItem(entry: OutboxEntry, options: ItemOptions): Item {
  const { isStored, isPersisted, since, cancel, retry, fault } = options;
  const settle = {} as Item['settle'];
  const accepted = new Promise<Accepted['message']>((resolve, reject) => Object.assign(settle, { resolve, reject }));
  const stored = new Promise<void>((resolve) => (settle.stored = resolve));
  // Whoever does not look at the outcome must not be told of an unhandled rejection.
  accepted.catch(() => {});
  if (isStored) settle.stored();
  const status = createStore<SendStatus>(() => {
    const { state, fault: refused } = item.entry;
    return {
      state: item.cancelled ? 'cancelled' : state,
      persisted: item.isPersisted,
      ...(refused === undefined ? {} : { fault: refused }),
    };
  }, fault);
  const handle: SendHandle = {
    clientId: entry.clientId,
    status,
    stored,
    accepted,
    cancel: () => cancel(item),
    retry: () => retry(item),
  };
  const size = JSON.stringify(entry.body)?.length ?? 0;
  const item: Item = {
    entry,
    isStored,
    isPersisted,
    since,
    size,
    internals: 0,
    cancelled: false,
    handle,
    status,
    settle,
  };
  return item;
}
