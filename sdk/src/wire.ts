import type { ErrorCode } from '../../shared/model/errors.ts';
import type { Gap, Message, MessageClass, SeqRange } from '../../shared/model/model.ts';

/** The frames of `restante.v1` as a client sees them. Fields that this client does not use are left out. */

export type Mode = 'push' | 'pull' | 'lazy';

/** What an inbox holds. Without a position it belongs to a conversation too large for inboxes: it moves nothing. */
export type Item = { position?: number; message: Message };

/** Where a message goes or a history is read: one of the two. */
export type Target = { conversation: string; to?: undefined } | { to: string; conversation?: undefined };

export type SendFrame = Target & {
  type: 'send';
  clientId: string;
  kind: string;
  body: unknown;
  class?: MessageClass;
};

export type Accepted = {
  clientId: string;
  message: { id: string; conversation: string; seq: number; at: number };
  duplicate?: boolean;
};

export type HistoryRequest = Target & { before?: number; after?: number; limit?: number };

export type HistoryPage = { conversation: string; messages: Message[]; more: boolean; absent: SeqRange[] };

export type InboxPage = { items: Item[]; gaps: Gap[]; next: number; more: boolean; epoch: string };

export type Welcome = {
  user: string;
  device: string;
  epoch: string;
  /** What the server remembers of this device. */
  position: number;
  /** The newest position of the inbox. */
  head: number;
  unread: unknown;
  features: string[];
  heartbeatMs: number;
  /** Milliseconds since 1970. */
  expiresAt: number;
  limits: Record<string, number>;
  reset?: boolean;
  /** Milliseconds since 1970: what was accepted after it may be lost. */
  lostSince?: number;
};

export type ErrorFrame = {
  type: 'error';
  re?: string;
  clientId?: string;
  code: ErrorCode;
  message: string;
  retryable: boolean;
  retryAfterMs?: number;
};

/** Any frame: what is unknown is ignored by type, and fields are read by the one who knows the type. */
export type Frame = { type: string; re?: string; [field: string]: unknown };

/** A frame from bytes, or null for what is not one. */
export function parseFrame(text: string): Frame | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
      ? (value as Frame)
      : null;
  } catch {
    return null;
  }
}
