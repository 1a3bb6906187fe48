import { z } from 'zod';
import { errorCodes, type ErrorCode } from '../model/errors.ts';
import { levels } from '../model/levels.ts';

/**
 * What the server sends: one schema for each frame, for the documents and the tests. The frames themselves are written
 * in frame-text.ts.
 */

const re = { re: z.string().optional().describe('the `id` of the request') };
const seq = z.int().min(0);
const position = z.int().min(0);
const now = { now: z.int().optional().describe("feature `time`: the server's clock (ms since 1970)") };

export const message = z.object({
  id: z.string(),
  conversation: z.string(),
  seq,
  at: z.int().describe('milliseconds since 1970'),
  sender: z.string(),
  clientId: z.string(),
  kind: z.string(),
  body: z.unknown(),
  class: z.enum(['normal', 'important']),
  amended: z
    .union([
      z.object({
        action: z.enum(['recall', 'edit']),
        by: z.string(),
        at: z.int(),
        version: z.int().min(1),
        amendSeq: seq.describe('of two texts of a message the one with the higher `amendSeq` is newer'),
      }),
      z.object({ action: z.literal('withheld') }),
    ])
    .optional()
    .describe('the amendment in force; `withheld`: this reader does not see it, and the body is null'),
});

export const item = z.object({ position: position.optional(), message });
export const gap = z.object({ position, conversation: z.string(), fromSeq: seq, toSeq: seq });
export const range = z.object({ fromSeq: seq, toSeq: seq });

export const unread = z.object({
  total: z.int(),
  conversations: z.array(
    z.object({
      conversation: z.string(),
      peer: z.string().optional(),
      name: z.string().nullable().optional(),
      unread: z.int(),
      readSeq: seq,
      lastSeq: seq,
      last: message.nullable(),
    }),
  ),
  more: z.boolean(),
});

export const presenceFields = {
  users: z.record(
    z.string(),
    z.object({
      online: z.boolean(),
      lastSeen: z.int().nullable().describe('milliseconds since 1970; null: never, or it may not be seen'),
    }),
  ),
};

export const pageFields = {
  items: z.array(item),
  gaps: z.array(gap),
  next: position,
  more: z.boolean(),
  epoch: z.string(),
};
export const historyFields = {
  conversation: z.string(),
  messages: z.array(message),
  more: z.boolean(),
  absent: z.array(range),
};
export const acceptedFields = {
  clientId: z.string(),
  message: z.object({ id: z.string(), conversation: z.string(), seq, at: z.int() }),
  level: z
    .enum(levels)
    .describe('what was reached: at least the level that was asked for, or less if it took too long'),
  duplicate: z.literal(true).optional(),
};
export const amendedFields = {
  conversation: z.string(),
  seq,
  action: z.enum(['recall', 'edit']),
  by: z.string(),
  at: z.int().describe('milliseconds since 1970'),
  version: z.int().min(0).describe('counts the amendments of the message; 0: it stays as it was sent'),
  amendSeq: seq.describe('the seq of the amendment; 0 with version 0'),
  level: acceptedFields.level,
  duplicate: z.literal(true).optional(),
};

export const settings = z.object({ receipts: z.boolean(), presence: z.enum(['shared', 'nobody']) });
export const userSettings = settings.extend({ version: z.int().describe('rises with every change') });

export const receiptsFields = {
  conversation: z.string(),
  members: z.array(z.object({ user: z.string(), receivedSeq: seq, readSeq: seq })),
  more: z.literal(false),
};

export const serverFrames = {
  welcome: z.object({
    type: z.literal('welcome'),
    ...re,
    user: z.string(),
    device: z.string(),
    epoch: z.string(),
    position,
    head: position,
    unread,
    features: z.array(z.string()),
    heartbeatMs: z.int(),
    expiresAt: z.int(),
    ...now,
    limits: z.object({
      maxBodyBytes: z.int(),
      maxFrameBytes: z.int(),
      pageItems: z.int(),
      pageBytes: z.int(),
      sendPerSecond: z.int(),
      receiveWithinMs: z.int(),
      levels: z.array(z.enum(levels)).describe('the levels that a send may ask for'),
      recallWithinMs: z.int().describe('how long a sender may recall a message; 0: no limit'),
      editWithinMs: z.int().describe('how long a sender may edit a message; 0: no limit'),
      presenceUsers: z.int().optional().describe('maximum users of a question, and that a connection watches'),
      typingEveryMs: z.int().optional().describe('typing in one conversation is passed on at most this often'),
    }),
    settings: userSettings.optional().describe('feature `settings`; absent while they cannot be read'),
    reset: z.literal(true).optional(),
    lostSince: z.int().optional(),
  }),
  accepted: z.object({ type: z.literal('accepted'), ...re, ...acceptedFields }),
  amended: z.object({ type: z.literal('amended'), ...re, ...amendedFields }),
  deliver: z.object({ type: z.literal('deliver'), items: z.array(item).min(1) }),
  gap: z.object({ type: z.literal('gap'), ...gap.shape }),
  page: z.object({ type: z.literal('page'), ...re, ...pageFields }),
  history: z.object({ type: z.literal('history'), ...re, ...historyFields }),
  read: z.object({ type: z.literal('read'), ...re, conversation: z.string(), seq }),
  reads: z.object({
    type: z.literal('reads'),
    ...re,
    conversations: z.array(z.object({ conversation: z.string(), readSeq: seq, unread: z.int() })),
  }),
  presence: z.object({ type: z.literal('presence'), ...re, ...presenceFields }),
  typing: z.object({
    type: z.literal('typing'),
    conversation: z.string(),
    user: z.string(),
    stop: z.literal(true).optional(),
  }),
  receipt: z.object({
    type: z.literal('receipt'),
    conversation: z.string(),
    user: z.string(),
    kind: z.enum(['received', 'read']),
    seq,
  }),
  receipts: z.object({ type: z.literal('receipts'), ...re, ...receiptsFields }),
  ok: z.object({ type: z.literal('ok'), ...re, expiresAt: z.int() }),
  pong: z.object({ type: z.literal('pong'), ...re, head: position, epoch: z.string(), ...now }),
  settings: z.object({
    type: z.literal('settings'),
    version: z.int(),
    changed: settings.partial().describe('what has changed, with its value now'),
  }),
  drain: z.object({ type: z.literal('drain'), reconnectAfterMs: z.int() }),
  error: z.object({
    type: z.literal('error'),
    ...re,
    clientId: z.string().optional(),
    code: z.enum(errorCodes as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    retryable: z.boolean(),
    retryAfterMs: z.int().optional(),
  }),
} as const;

export type ServerFrame<Type extends keyof typeof serverFrames> = z.output<(typeof serverFrames)[Type]>;
