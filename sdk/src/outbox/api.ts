import type { Store } from '../view/store.ts';
import type { Accepted, Level, MessageClass } from '../wire.ts';
import type { OutboxEntry, OutboxState, Priority } from './entry.ts';

export type SendOptions = {
  kind?: string;
  class?: MessageClass;
  priority?: Priority;
  clientId?: string;
  level?: Level;
};

/** What is to be sent, and where. */
export type Draft = Pick<OutboxEntry, 'lane' | 'to' | 'type' | 'body' | 'target'> & SendOptions;

export type SendStatus = {
  /** `cancelled`: it was taken back before it was ever sent. */
  state: OutboxState | 'cancelled';
  /** Whether it is stored where it outlives this process. */
  persisted: boolean;
  fault?: OutboxEntry['fault'];
};

/** A message on its way. */
export type SendHandle = {
  readonly clientId: string;
  readonly status: Store<SendStatus>;
  /** Resolves when it is stored here. It is not sent before. */
  readonly stored: Promise<void>;
  /** Resolves when the server accepted it, over any number of connections. Rejects if it is refused for good. */
  readonly accepted: Promise<Accepted['message']>;
  /** Takes it back, or away if it failed. False once it was written to a socket: its outcome is not known. */
  cancel(): boolean;
  /** Tries a failed message again, with the same id. */
  retry(): boolean;
};

/** More waits than may: nothing is dropped silently. */
export class OutboxFull extends Error {
  override readonly name = 'OutboxFull';
  constructor() {
    super('too many messages wait to be accepted');
  }
}

/** A message was taken back by `cancel`. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
  constructor() {
    super('the message was cancelled');
  }
}
