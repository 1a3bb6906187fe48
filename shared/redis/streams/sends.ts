import type { MessageClass } from '../../model/model.ts';

/** A checked send, ready to be accepted. `tail` is the serialised rest of the message (message-text.ts). */
export type Send = {
  conversation: string;
  sender: string;
  clientId: string;
  /** Equal if kind, class and body are equal, and practically only then. */
  fingerprint: string;
  /** The sender's right: one of the two of a direct conversation, which need not exist, or a member, or a service. */
  right: 'direct' | 'member' | 'service';
  /** The two of a direct conversation, joined by a comma, if `right` is `direct`; otherwise ''. */
  users: string;
  /** The sending device, `noDevice` for a send by HTTP. */
  device: string;
  class: MessageClass;
  /** The time in a UUIDv7 clientId (ms), 0 if it has none, -1 once history was searched for it. */
  made: number;
  /** The clientId of the sender's message in this conversation that must be accepted before; null: none. */
  after: string | null;
  /** The gateway waits until history has the message: the archive tells it (push-bus.ts). */
  awaited: boolean;
  tail: string;
};

/** A message that was accepted before, as history has it. `same`: it has the same kind, class and body. */
export type FirstSend = { seq: number; streamId: string; at: number; same: boolean };

/** What helps if Redis cannot decide by itself. `load` and `lookup` may take their time. */
export type AcceptHelp = {
  /** Loads the conversation from history into Redis; its sends wait. Resolves false if history does not know it. */
  load(send: Send): Promise<boolean>;
  /**
   * Resolves the first message with the clientId of each of these sends, from history; null if there is none. All sends
   * are of one sender to one conversation, and its other sends to it wait.
   */
  lookup(sends: Send[]): Promise<(FirstSend | null)[]>;
  /** The slot is not open. */
  closed(): void;
  /** An entry of this partition exists. Throws `unknown_outcome` if this process may not answer for it. */
  seen(partition: number, streamId: string): void;
};
