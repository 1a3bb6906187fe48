/** The frames that a client sees, as PROTOCOL.md names them. Repeated here so that a renamed field fails a test. */

export type Message = {
  id: string;
  conversation: string;
  seq: number;
  at: number;
  sender: string;
  clientId: string;
  kind: string;
  body: unknown;
  class: 'normal' | 'important';
  amended?:
    | { action: 'recall' | 'edit'; by: string; at: number; version: number; amendSeq: number }
    | { action: 'withheld' };
};

/** An inbox entry. */
export type Item = { position: number; message: Message };
/** A pushed item. Without a position, its conversation is too large for inboxes. */
export type PushedItem = Item | { position?: undefined; message: Message };

/** For tests in which no conversation is too large for inboxes: an item without a position is an error. */
export const fromInbox = (items: PushedItem[]): Item[] =>
  items.map((item) => {
    if (item.position === undefined) throw new Error(`an item without a position: ${JSON.stringify(item)}`);
    return item;
  });

export type Level = 'accepted' | 'durable' | 'stored';

export type Range = { fromSeq: number; toSeq: number };
export type Gap = Range & { position: number; conversation: string };

export type UnreadConversation = {
  conversation: string;
  peer?: string;
  name?: string | null;
  unread: number;
  readSeq: number;
  lastSeq: number;
  last: Message | null;
};

export type OwnSettings = { receipts: boolean; presence: 'shared' | 'nobody' };

export type Frames = {
  welcome: {
    user: string;
    device: string;
    epoch: string;
    position: number;
    head: number;
    unread: { total: number; conversations: UnreadConversation[]; more: boolean };
    features: string[];
    heartbeatMs: number;
    expiresAt: number;
    now: number;
    limits: {
      maxBodyBytes: number;
      maxFrameBytes: number;
      pageItems: number;
      pageBytes: number;
      sendPerSecond: number;
      receiveWithinMs: number;
      presenceUsers?: number;
      typingEveryMs?: number;
      levels: Level[];
      recallWithinMs: number;
      editWithinMs: number;
    };
    settings?: OwnSettings & { version: number };
    reset?: boolean;
    lostSince?: number;
  };
  accepted: {
    clientId: string;
    message: { id: string; conversation: string; seq: number; at: number };
    level: Level;
    duplicate?: true;
  };
  amended: {
    conversation: string;
    seq: number;
    action: 'recall' | 'edit';
    by: string;
    at: number;
    version: number;
    amendSeq: number;
    level: Level;
    duplicate?: true;
  };
  deliver: { items: PushedItem[] };
  gap: Gap;
  page: { items: Item[]; gaps: Gap[]; next: number; more: boolean; epoch: string };
  history: { conversation: string; messages: Message[]; more: boolean; absent: Range[] };
  read: { conversation: string; seq: number };
  receipt: { conversation: string; user: string; kind: 'received' | 'read'; seq: number };
  receipts: {
    conversation: string;
    members: { user: string; receivedSeq: number; readSeq: number }[];
    more: false;
  };
  reads: { conversations: { conversation: string; readSeq: number; unread: number }[] };
  presence: { users: Record<string, { online: boolean; lastSeen: number | null }> };
  typing: { conversation: string; user: string; stop?: true };
  ok: { expiresAt: number };
  pong: { head: number; epoch: string; now: number };
  settings: { version: number; changed: Partial<OwnSettings> };
  drain: { reconnectAfterMs: number };
  error: { clientId?: string; code: string; message: string; retryable: boolean; retryAfterMs?: number };
};

export type FrameType = keyof Frames;
export type Frame<Type extends FrameType = FrameType> = { [T in Type]: { type: T; re?: string } & Frames[T] }[Type];
