import { z } from 'zod';
import { levels } from '../model/levels.ts';
import { historyPageMessages, mostPresenceUsers, mostReads, pageItems } from '../model/limits.ts';
import { idPattern, kindPattern, serverKindPrefix } from '../model/model.ts';

/** What a client may send: one schema for each frame. The documents are generated from the same schemas. */

export const id = z.string().regex(idPattern, 'must be 1 to 64 letters, digits, _ or -');
export const kind = z
  .string()
  .regex(kindPattern, 'must be 1 to 32 of a-z, 0-9, ., _ and -')
  .refine((text) => !text.startsWith(serverKindPrefix), `kinds that begin ${serverKindPrefix} belong to the server`);
const clientNamePattern = /^[\x20-\x7e]{1,64}$/;
/** A seq or position: a whole number from 0 on. 0 is before the first. */
export const whole = z.int().min(0);
const epoch = z.string().min(1).max(128);
const mostPageItems = z.int().min(1).max(pageItems);
const request = { id: id.optional().describe('comes back as `re` in the answer') };

/** Either a conversation, or the other user of a direct conversation. */
const target = { conversation: id.optional(), to: id.optional() };
const oneTarget = (frame: { conversation?: unknown; to?: unknown }): boolean =>
  (frame.conversation === undefined) !== (frame.to === undefined);
const oneTargetMessage = 'give either `conversation` or `to`';

/** The fields of a send, by WebSocket and HTTP. */
export const sendFields = {
  clientId: id,
  ...target,
  kind,
  body: z.unknown().describe('any JSON value'),
  class: z.enum(['normal', 'important']).optional(),
  level: z.enum(levels).optional().describe('what the answer waits for; default: as the operator has set'),
  after: id.optional().describe('accepted only after this message of the sender in the conversation: its `clientId`'),
};
export const hasBody = (frame: object): boolean => 'body' in frame;

/** The fields of an amend, by WebSocket and HTTP. */
export const amendFields = {
  action: z.enum(['recall', 'edit']),
  body: z.unknown().optional().describe('any JSON value: the new body, of an edit only'),
  clientId: id.optional().describe('the same again gets the same answer, also after other amendments'),
  ifVersion: whole.optional().describe('only if this version is in force; 0: the message as it was sent'),
  level: sendFields.level,
};
export const hasItsBody = (frame: { action: string }): boolean => 'body' in frame === (frame.action === 'edit');
export const itsBodyMessage = 'an edit has a `body`, a recall has none';
/** The seq of a message. */
export const messageSeq = z.int().min(1);

export const clientFrames = {
  hello: z.object({
    type: z.literal('hello'),
    ...request,
    token: z.string().min(1).max(8192),
    device: id,
    position: whole.optional(),
    epoch: epoch.optional(),
    mode: z.enum(['push', 'pull', 'lazy']).optional(),
    pageItems: mostPageItems.optional().describe('maximum items of a backlog page'),
    ephemeral: z.literal(true).optional().describe('the device is forgotten soon after it disconnects'),
    client: z
      .string()
      .regex(clientNamePattern, 'must be 1 to 64 printable ASCII characters')
      .optional()
      .describe('name and version of the client, for the statistics of the operator'),
  }),
  send: z
    .object({ type: z.literal('send'), ...request, ...sendFields })
    .refine(oneTarget, oneTargetMessage)
    .refine(hasBody, 'body is missing'),
  amend: z
    .object({ type: z.literal('amend'), ...request, ...target, seq: messageSeq, ...amendFields })
    .refine(oneTarget, oneTargetMessage)
    .refine(hasItsBody, itsBodyMessage),
  received: z.object({
    type: z.literal('received'),
    ...request,
    position: whole,
    pageItems: mostPageItems.optional().describe('maximum items of a backlog page from now on'),
  }),
  sync: z.object({
    type: z.literal('sync'),
    ...request,
    after: whole,
    limit: mostPageItems.optional(),
    epoch: epoch.optional(),
  }),
  history: z
    .object({
      type: z.literal('history'),
      ...request,
      ...target,
      before: whole.optional(),
      after: whole.optional(),
      limit: z.int().min(1).max(historyPageMessages).optional(),
    })
    .refine(oneTarget, oneTargetMessage)
    .refine(({ before, after }) => before === undefined || after === undefined, 'give `before` or `after`, not both'),
  read: z.object({ type: z.literal('read'), ...request, ...target, seq: whole }).refine(oneTarget, oneTargetMessage),
  reads: z.object({ type: z.literal('reads'), ...request, conversations: z.array(id).min(1).max(mostReads) }),
  presence: z.object({
    type: z.literal('presence'),
    ...request,
    users: z.array(id).min(1).max(mostPresenceUsers),
    watch: z.boolean().optional().describe('true: also tell changes from now on; false: no longer'),
  }),
  typing: z.object({ type: z.literal('typing'), ...request, conversation: id, stop: z.literal(true).optional() }),
  receipts: z.object({ type: z.literal('receipts'), ...request, ...target }).refine(oneTarget, oneTargetMessage),
  reauth: z.object({ type: z.literal('reauth'), ...request, token: z.string().min(1).max(8192) }),
  ping: z.object({ type: z.literal('ping'), ...request }),
} as const;

export type ClientFrameType = keyof typeof clientFrames;
export type ClientFrame<Type extends ClientFrameType = ClientFrameType> = {
  [T in Type]: z.output<(typeof clientFrames)[T]>;
}[Type];
