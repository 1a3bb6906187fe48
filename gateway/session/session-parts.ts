import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import type { HintResult } from './hint-writing.ts';
import type { ReceivedOf } from './received-trail.ts';

export type Mode = 'push' | 'pull' | 'lazy';

/** What other parts may read of a session. Positions are those of the push cursor (session.ts). */
export type SessionState = {
  readonly user: string;
  readonly device: string;
  /** Unique among the sessions of this gateway. */
  readonly id: string;
  readonly epoch: string;
  readonly known: number;
  readonly sent: number;
  readonly received: number;
  readonly ended: boolean;
};

/** What sessions use, the same for all of them. */
export type SessionParts = {
  inboxes: Pick<Inboxes, 'page' | 'head'>;
  /** Writes a device's received position to its inbox, soon and in a batch. */
  advance(session: SessionState, position: number): void;
  /**
   * The inbox could not be read, or what was read could not be written to the socket. The session closes its connection
   * afterwards. Never throws.
   */
  failed(session: SessionState, thrown: unknown): void;
  /** Whether others are told how far this user has received. */
  takesPart(user: string): boolean;
  /** The device has received what was handed to it of these conversations. */
  receivedOf(session: SessionState, all: readonly ReceivedOf[]): void;
  /** The device has received what was not handed to it here, from above `from` up to `to`. */
  receivedUnseen(session: SessionState, from: number, to: number): void;
  pushed(items: number): void;
  pushedAgain(items: number): void;
  /** A hint that has waited was written, or not. */
  hinted(text: string, result: HintResult): void;
  /** Asks for a redelivery job, which pushes again what was not received in time. Asking twice makes one job. */
  requestRedelivery(session: SessionState): void;
  /** The job that was asked for is not needed any more: the device has received. */
  cancelRedelivery(session: SessionState): void;
  /** Messages of large groups were dropped: announces them in the inbox. */
  missedLarge(session: SessionState): void;
  /** A push stands at or below what was sent. Mostly harmless, but Redis may have lost the end of the inbox. */
  fellBack(session: SessionState): void;
  /** Items were pushed this many times and not received: the connection is given up. */
  undelivered(session: SessionState, attempts: number): void;
  /** The monotonic clock; `remind` is given the same one. */
  now(): number;
};
