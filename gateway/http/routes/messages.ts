import { z } from 'zod';
import { badRequest, notFound, Refusal } from '../../../shared/model/errors.ts';
import { historyPageDefault, historyPageMessages } from '../../../shared/model/limits.ts';
import { noDevice } from '../../../shared/model/model.ts';
import {
  amendFields,
  hasBody,
  hasItsBody,
  id,
  itsBodyMessage,
  sendFields,
} from '../../../shared/protocol/client-frames.ts';
import { acceptedText, amendedAnswerText, historyText } from '../../../shared/protocol/frame-text.ts';
import { acceptedFields, amendedFields, historyFields, message } from '../../../shared/protocol/server-frames.ts';
import type { Principal } from '../../auth/authenticate.ts';
import { actsAs } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor, conversationParams, limitTo, pathSeq, querySeq } from '../fields.ts';
import { answerText, type Route, route } from '../route.ts';

const send = z
  .object({
    ...sendFields,
    sender: id.optional().describe('required with a service token; default: the user of the token'),
  })
  .refine(hasBody, 'body is missing');

const amend = z
  .object({
    ...amendFields,
    sender: id.optional().describe('service tokens only: in whose name; default: the subject of the token'),
  })
  .refine(hasItsBody, itsBodyMessage);

const messageParams = z.object({ ...conversationParams.shape, seq: pathSeq.describe('the seq of a message') });

const page = z
  .object({
    before: querySeq.optional().describe('only seqs below it, newest first'),
    after: querySeq.optional().describe('only seqs above it, oldest first'),
    limit: limitTo(historyPageMessages, historyPageDefault),
    ...actingFor,
  })
  .refine(({ before, after }) => before === undefined || after === undefined, 'give `before` or `after`, not both');

function senderOf({ user, service }: Principal, named: string | undefined): string {
  if (service && named === undefined) throw badRequest('sender: a service token must name the sender');
  if (!service && named !== undefined && named !== user)
    throw new Refusal('forbidden', 'sender: only a service token sends for somebody else');
  return named ?? user;
}

function amenderOf({ user, service }: Principal, named: string | undefined): string {
  if (!service && named !== undefined && named !== user)
    throw new Refusal('forbidden', 'sender: only a service token amends for somebody else');
  return named ?? user;
}

/** Sending and amending messages, and reading the history of a conversation. */
export const messageRoutes = ({
  sending,
  amending,
  levels,
  history,
}: Pick<HttpParts, 'sending' | 'amending' | 'levels' | 'history'>): Route[] => [
  route({
    method: 'post',
    path: '/messages',
    budget: null,
    name: 'sendMessage',
    summary: 'Send a message to a `conversation`, or `to` a user. The same clientId again gets the same answer.',
    body: send,
    answers: {
      201: { description: 'accepted and stored with this seq', schema: z.object(acceptedFields) },
      200: { description: 'this clientId was accepted before', schema: z.object(acceptedFields) },
    },
    refuses: ['forbidden', 'not_found', 'conflict', 'out_of_order', 'too_large', 'unknown_outcome'],
    async handle({ principal, body }) {
      const sender = {
        user: senderOf(principal, body.sender),
        service: principal.service,
        unlimited: principal.service,
        device: noDevice,
      };
      const level = levels.asked(body.level);
      const accepted = await sending(sender, body, level);
      const reached = level === 'accepted' ? level : await levels.reach(accepted, level);
      return answerText(`{${acceptedText(body.clientId, accepted, reached)}}`, accepted.duplicate ? 200 : 201);
    },
  }),

  route({
    method: 'post',
    path: '/conversations/:id/messages/:seq/amend',
    budget: null,
    feature: 'amend',
    name: 'amendMessage',
    summary: 'Recall or edit a message. The same again gets the same answer.',
    params: messageParams,
    body: amend,
    answers: { 200: { description: 'the amendment in force', schema: z.object(amendedFields) } },
    refuses: ['forbidden', 'not_found', 'conflict', 'too_large', 'unknown_outcome'],
    async handle({ principal, params, body }) {
      const { service } = principal;
      const user = amenderOf(principal, body.sender);
      const level = levels.asked(body.level);
      const amended = await amending(
        { user, service, unlimited: service, device: noDevice },
        { conversation: params.id, seq: params.seq, ...body },
        level,
      );
      const reached = level === 'accepted' ? level : await levels.reach(amended.accepted, level);
      return answerText(`{${amendedAnswerText(amended, reached)}}`);
    },
  }),

  route({
    method: 'get',
    path: '/conversations/:id/messages/:seq',
    name: 'readMessage',
    summary: 'Read one message of a conversation.',
    params: messageParams,
    query: z.object(actingFor),
    answers: { 200: { description: 'the message', schema: z.object({ message }) } },
    refuses: ['forbidden', 'not_found'],
    async handle({ principal, params, query }) {
      const text = await history.message(params.id, actsAs(principal, query.user), params.seq);
      if (text === null) throw notFound('no such message');
      return answerText(`{"message":${text}}`);
    },
  }),

  route({
    method: 'get',
    path: '/conversations/:id/messages',
    name: 'readHistory',
    summary: 'Read the history of a conversation: newest first, or with `after` oldest first.',
    params: conversationParams,
    query: page,
    answers: {
      200: {
        description: 'a page; `absent` lists the seqs of its range that will never come',
        schema: z.object(historyFields),
      },
    },
    refuses: ['forbidden', 'not_found'],
    handle: async ({ principal, params, query }) =>
      answerText(`{${historyText(await history.page(params.id, actsAs(principal, query.user), query))}}`),
  }),
];
