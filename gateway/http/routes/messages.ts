import { z } from 'zod';
import { badRequest, Refusal } from '../../../shared/model/errors.ts';
import { historyPageDefault, historyPageMessages } from '../../../shared/model/limits.ts';
import { noDevice } from '../../../shared/model/model.ts';
import { hasBody, id, sendFields } from '../../../shared/protocol/client-frames.ts';
import { acceptedText, historyText } from '../../../shared/protocol/frame-text.ts';
import { acceptedFields, historyFields } from '../../../shared/protocol/server-frames.ts';
import type { Principal } from '../../auth/authenticate.ts';
import { actsAs } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor, conversationParams, limitTo, querySeq } from '../fields.ts';
import { answerText, type Route, route } from '../route.ts';

const send = z
  .object({
    ...sendFields,
    sender: id.optional().describe('required with a service token; default: the user of the token'),
  })
  .refine(hasBody, 'body is missing');

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

/** Sending messages and reading the history of a conversation. */
export const messageRoutes = ({
  sending,
  levels,
  history,
}: Pick<HttpParts, 'sending' | 'levels' | 'history'>): Route[] => [
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
    refuses: ['forbidden', 'not_found', 'conflict', 'too_large', 'unknown_outcome'],
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
