import { z } from 'zod';
import { kindPattern } from '../../../shared/model/model.ts';
import { id } from '../../../shared/protocol/client-frames.ts';
import { message } from '../../../shared/protocol/server-frames.ts';
import { queryLimits } from '../../../shared/search/query.ts';
import { actsAs } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor, limitTo, querySeq } from '../fields.ts';
import { answerText, type Route, route } from '../route.ts';

const mostMessages = 50;
const usualMessages = 20;

const query = z.object({
  q: z
    .string()
    .min(1)
    .max(queryLimits.characters)
    .describe('words, which must all occur; those between quotes must follow each other'),
  conversation: id.optional().describe('only in this conversation'),
  from: id.optional().describe('only messages of this sender'),
  kind: z
    .string()
    .regex(kindPattern, 'must be 1 to 32 small letters, digits, dots, _ or -')
    .optional()
    .describe('only messages of this kind'),
  after: querySeq.optional().describe('only messages accepted after this moment (ms since 1970)'),
  before: querySeq.optional().describe('only messages accepted before this moment (ms since 1970)'),
  limit: limitTo(mostMessages, usualMessages),
  next: z.string().min(1).max(128).optional().describe('the `next` of the page before, within ten minutes'),
  ...actingFor,
});

const page = z.object({
  messages: z.array(message).describe('newest first, as history gives them now; may be fewer than `limit`, or none'),
  more: z.boolean().describe('whether to go on with `next`'),
  next: z.string().optional(),
  indexing: z.literal(true).optional().describe('the index is behind or being made again: messages may be missing'),
});

/** Searching messages. */
export const searchRoutes = ({ search }: Pick<HttpParts, 'search'>): Route[] => [
  route({
    method: 'get',
    path: '/search',
    budget: 'search',
    feature: 'search',
    name: 'searchMessages',
    summary: 'Search the messages that a user may read, newest first. A service token without `user` searches all.',
    query,
    answers: { 200: { description: 'a page', schema: page } },
    refuses: ['forbidden', 'not_found'],
    async handle({ principal, query: asked }) {
      const user = actsAs(principal, asked.user);
      const found = await search(user, { ...asked, limit: asked.limit ?? usualMessages });
      const next = found.next === undefined ? '' : `,"next":"${found.next}"`;
      const indexing = found.indexing ? ',"indexing":true' : '';
      return answerText(`{"messages":[${found.messages.join(',')}],"more":${found.more}${next}${indexing}}`);
    },
  }),
];
