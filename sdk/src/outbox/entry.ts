import type { Accepted, Level, MessageClass } from '../wire.ts';

/** `high` goes before `normal`, and `low` waits while the network is bad. */
export type Priority = 'high' | 'normal' | 'low';

/**
 * `queued`: not on the wire. `sending`: written to a socket, without an answer. `accepted`: kept for a while, in case
 * the server loses it. `failed`: refused for good.
 */
export type OutboxState = 'queued' | 'sending' | 'accepted' | 'failed';

/** Something that the user wants to say, from `send` until well after the server accepted it. */
export type OutboxEntry = {
  clientId: string;
  /** The conversation; entries of one lane are accepted in their order. */
  lane: string;
  /** The other user, while the conversation is known by nothing else. */
  to?: string;
  type: 'send' | 'amend';
  kind: string;
  body: unknown;
  class: MessageClass;
  level?: Level;
  /** The amended message and what happens to it. */
  target?: { seq: number; action: 'recall' | 'edit' };
  priority: Priority;
  /** Rises with every entry of this client: the order of sending. */
  order: number;
  queuedAt: number;
  state: OutboxState;
  /** How often it was written to a socket. */
  attempts: number;
  answer?: Accepted['message'];
  fault?: { code: string; message: string };
};
