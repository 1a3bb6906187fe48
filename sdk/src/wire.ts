import type { ErrorCode } from './refusal.ts';

/**
 * The frames of `restante.v1` as a client sees them. They are written down once more, so that the client depends on no
 * code of the server; test/unit/sdk/wire.test.ts proves that they equal the server's.
 */

export type Mode = 'push' | 'pull' | 'lazy';

export type MessageClass = 'normal' | 'important';

/** What a message has survived when its sender is told, lowest first; see PROTOCOL.md. */
export type Level = 'accepted' | 'durable' | 'stored';
export type ConversationKind = 'direct' | 'group';

export type Message = {
  id: string;
  conversation: string;
  seq: number;
  /** Milliseconds since 1970. */
  at: number;
  sender: string;
  clientId: string;
  kind: string;
  body: unknown;
  class: MessageClass;
  /** The newest amendment of it; `withheld`: one that its reader may not see, nor the text since. */
  amended?:
    | { action: 'recall' | 'edit'; by: string; at: number; version: number; amendSeq: number }
    | Withheld
    | undefined;
};

type Withheld = { action: 'withheld' };

/** An inclusive range of seqs. */
export type SeqRange = { fromSeq: number; toSeq: number };

/** Seqs that the inbox does not hold and history does. */
export type Gap = SeqRange & { position: number; conversation: string };

/** An entry of an inbox. One without a position belongs to a conversation too large for inboxes: it moves nothing. */
export type Item = { position?: number | undefined; message: Message };

/** Where a message goes or a history is read: one of the two. */
export type Target = { conversation: string; to?: undefined } | { to: string; conversation?: undefined };

/** Opens a connection. What a server does not serve (`welcome.features`), it ignores. */
export type HelloFrame = {
  type: 'hello';
  token: string;
  device: string;
  position?: number;
  epoch?: string;
  mode?: Mode;
  /** Feature `paced`: maximum items of a backlog page, 1 to 200. */
  pageItems?: number;
  /** Feature `ephemeral`: the device is forgotten soon after it disconnects. */
  ephemeral?: true;
  /** Name and version of the client: at most 64 printable ASCII characters. It is only counted. */
  client?: string;
};

export type ReceivedFrame = {
  type: 'received';
  position: number;
  /** Feature `paced`: maximum items of a backlog page from now on. */
  pageItems?: number;
};

export type SendFrame = Target & {
  type: 'send';
  clientId: string;
  kind: string;
  body: unknown;
  class?: MessageClass;
  level?: Level;
  /** Feature `ordered-sends`: the clientId of the message of this conversation that must be accepted before. */
  after?: string;
};

export type Accepted = {
  clientId: string;
  message: { id: string; conversation: string; seq: number; at: number };
  /** The level that was reached. */
  level: Level;
  duplicate?: true | undefined;
};

export type HistoryRequest = Target & { before?: number; after?: number; limit?: number };

export type HistoryPage = { conversation: string; messages: Message[]; more: boolean; absent: SeqRange[] };

export type InboxPage = { items: Item[]; gaps: Gap[]; next: number; more: boolean; epoch: string };

export type Unread = {
  total: number;
  conversations: {
    conversation: string;
    peer?: string | undefined;
    name?: string | null | undefined;
    unread: number;
    readSeq: number;
    lastSeq: number;
    last: Message | null;
  }[];
  more: boolean;
};

export type Welcome = {
  user: string;
  device: string;
  epoch: string;
  /** What the server remembers of this device. */
  position: number;
  /** The newest position of the inbox. */
  head: number;
  unread: Unread;
  features: string[];
  heartbeatMs: number;
  /** Milliseconds since 1970. */
  expiresAt: number;
  /** Feature `time`: the server's clock, in milliseconds since 1970. */
  now?: number | undefined;
  limits: {
    maxBodyBytes: number;
    maxFrameBytes: number;
    pageItems: number;
    pageBytes: number;
    sendPerSecond: number;
    receiveWithinMs: number;
    presenceUsers?: number | undefined;
    typingEveryMs?: number | undefined;
    /** The levels that a send may ask for. */
    levels: Level[];
    /** How long a sender may recall or edit a message (ms); 0: no limit. */
    recallWithinMs: number;
    editWithinMs: number;
  };
  /** What the user has set; absent while it cannot be read, or is not served. */
  settings?: { receipts: boolean; presence: 'shared' | 'nobody'; version: number } | undefined;
  reset?: true | undefined;
  /** Milliseconds since 1970: what was accepted after it may be lost. */
  lostSince?: number | undefined;
};

export type Pong = {
  /** The newest position of the inbox. */
  head: number;
  epoch: string;
  /** Feature `time`: the server's clock, in milliseconds since 1970. */
  now?: number | undefined;
};

export type ErrorFrame = {
  type: 'error';
  re?: string | undefined;
  clientId?: string | undefined;
  code: ErrorCode;
  message: string;
  retryable: boolean;
  retryAfterMs?: number | undefined;
};

/** Any frame. Frames of an unknown type are ignored; only code that knows the type reads the fields. */
export type Frame = { type: string; re?: string; [field: string]: unknown };

/** A frame from its text, or null for what is not one. */
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
