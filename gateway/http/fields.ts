import { z } from 'zod';
import { id } from '../../shared/protocol/client-frames.ts';
import { message } from '../../shared/protocol/server-frames.ts';

/** Schemas that several routes share. Those registered by an id are components of openapi.json. */

const digits = /^(0|[1-9]\d{0,15})$/;

/** A whole number in the query string, in plain digits: `007`, `1e3`, `+1` and the empty text are refused. */
const queryNumber = (least: number, most?: number) =>
  z.preprocess(
    (text) => (typeof text === 'string' && digits.test(text) ? Number(text) : text),
    z
      .int(`must be a whole number from ${least} ${most === undefined ? 'on' : `to ${most}`}`)
      .min(least)
      .max(most ?? Number.MAX_SAFE_INTEGER),
  );

export const querySeq = queryNumber(0);
/** The seq of a message in a path. */
export const pathSeq = queryNumber(1);
export const limitTo = (most: number, standard: number) =>
  queryNumber(1, most).optional().describe(`at most this many; default ${standard}`);

export const actingFor = { user: id.optional().describe('service tokens only: the user to act for') };

export const conversationParams = z.object({ id: id.describe('a conversation') });

export const member = z.object({
  user: z.string(),
  joinedSeq: z.int().describe('the member sees the messages above this seq'),
});

/** The retention of one conversation in days. */
export const historyDays = z.int().min(0).max(36_500);

export const conversation = z.object({
  id: z.string(),
  kind: z.enum(['direct', 'group']),
  name: z.string().nullable(),
  peer: z.string().optional().describe('the other user of a direct conversation'),
  members: z.array(member).optional().describe('absent in lists, and in groups of more than 1,000 members'),
  memberCount: z.int(),
  lastSeq: z.int(),
  readSeq: z.int(),
  unread: z.int(),
  last: message.nullable().describe('the newest message'),
  createdAt: z.int().describe('milliseconds since 1970'),
  peerReceivedSeq: z.int().optional().describe('of a direct conversation: the other user has received up to it'),
  peerReadSeq: z.int().optional().describe('of a direct conversation: the other user has read up to it'),
  historyDays: historyDays
    .optional()
    .describe(
      'days that history keeps its messages, 0: without limit; absent if the retention of the deployment applies',
    ),
});

z.globalRegistry.add(message, { id: 'Message' });
z.globalRegistry.add(conversation, { id: 'Conversation' });
