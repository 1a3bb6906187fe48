import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { badRequest, Refusal } from '../../../shared/model/errors.ts';
import { isDirect } from '../../../shared/model/ids.ts';
import { mostMembers } from '../../../shared/model/limits.ts';
import { id, whole } from '../../../shared/protocol/client-frames.ts';
import { actorOf, actsAs, userOf } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor, conversation, conversationParams, historyDays, limitTo } from '../fields.ts';
import { answer, type Route, route } from '../route.ts';

const name = z
  .string()
  .max(256)
  .refine((text) => text.isWellFormed() && !text.includes('\0'), 'must be well-formed text without NUL')
  .nullable();

const creation = z.object({
  id: id
    .refine((text) => !isDirect(text), 'ids that begin d_ are those of direct conversations')
    .optional()
    .describe('default: a random id'),
  members: z.array(id).describe(`at most ${mostMembers}; the creator is added`),
  name: name.optional(),
});

const change = z
  .object({
    name: name.optional().describe('null removes it; a direct conversation has none'),
    historyDays: historyDays
      .nullable()
      .optional()
      .describe('service tokens only; 0: without limit, null: the retention of the deployment'),
  })
  .refine((given) => given.name !== undefined || given.historyDays !== undefined, 'name or historyDays must be given');

/** Bytes of a request that creates a full group of the longest ids. */
const creationBytes = mostMembers * 67 + 4096;

const newId = (): string => `g_${randomBytes(16).toString('base64url')}`;

/** Creating, listing and changing conversations, and how far they are read. */
export const conversationRoutes = ({
  changes,
  views,
  markRead,
  config,
}: Pick<HttpParts, 'changes' | 'views' | 'markRead' | 'config'>): Route[] => [
  route({
    method: 'post',
    path: '/conversations',
    name: 'createConversation',
    summary: 'Create a group. The same id and members again give the same conversation.',
    query: z.object(actingFor),
    body: creation,
    mostBodyBytes: ({ service }) => (service ? creationBytes : config.maxUserBodyBytes),
    answers: {
      201: { description: 'created', schema: conversation },
      200: { description: 'it exists already, with exactly these members', schema: conversation },
    },
    refuses: ['forbidden', 'conflict', 'too_large'],
    async handle({ principal, query, body }) {
      const creator = actsAs(principal, query.user);
      const members = [...new Set(creator === null ? body.members : [creator, ...body.members])];
      if (members.length === 0) throw badRequest('members: a service token is no member, so it must name one');
      const { RESERVED_GROUP_PREFIX: reserved } = config;
      if (!principal.service && reserved !== '' && body.id?.startsWith(reserved) === true) {
        throw new Refusal('forbidden', `id: only a service token creates groups whose ids begin with ${reserved}`);
      }
      const group = body.id ?? newId();
      const outcome = await changes.create(principal, group, members, body.name || null);
      if (outcome === 'different')
        throw new Refusal('conflict', 'a conversation with this id exists with other members');
      return answer(await views.one(group, creator), outcome === 'created' ? 201 : 200);
    },
  }),

  route({
    method: 'get',
    path: '/conversations',
    name: 'listConversations',
    summary: 'The conversations of a user, newest first.',
    query: z.object({
      after: z.string().max(128).optional().describe('`next` of the previous page'),
      limit: limitTo(100, 20),
      ...actingFor,
    }),
    answers: {
      200: {
        description: 'a page',
        schema: z.object({ conversations: z.array(conversation), next: z.string().optional() }),
      },
    },
    refuses: ['forbidden'],
    handle: async ({ principal, query }) =>
      answer(await views.list(userOf(principal, query.user), query.after, query.limit ?? 20)),
  }),

  route({
    method: 'get',
    path: '/conversations/:id',
    name: 'getConversation',
    summary: 'One conversation.',
    params: conversationParams,
    query: z.object(actingFor),
    answers: { 200: { description: 'the conversation', schema: conversation } },
    refuses: ['forbidden', 'not_found'],
    handle: async ({ principal, params, query }) => answer(await views.one(params.id, actsAs(principal, query.user))),
  }),

  route({
    method: 'patch',
    path: '/conversations/:id',
    name: 'changeConversation',
    summary: 'Change the name of a group, or the retention of a conversation.',
    params: conversationParams,
    query: z.object(actingFor),
    body: change,
    answers: { 200: { description: 'the conversation', schema: conversation } },
    refuses: ['forbidden', 'not_found'],
    async handle({ principal, params, query, body }) {
      const { name: given, historyDays: days } = body;
      if (days && days < config.IMPORTANT_RETENTION_DAYS) {
        throw badRequest(
          `historyDays: an inbox keeps an important message for ${config.IMPORTANT_RETENTION_DAYS} days, ` +
            'history must not keep it shorter',
        );
      }
      await changes.change(principal, params.id, actorOf(principal, query.user), {
        name: given === '' ? null : given,
        historyDays: days,
      });
      return answer(await views.one(params.id, principal.service ? null : principal.user));
    },
  }),

  route({
    method: 'put',
    path: '/conversations/:id/read',
    budget: 'read',
    name: 'readConversation',
    summary: 'Move the read seq of a conversation forward. It never goes back.',
    params: conversationParams,
    query: z.object(actingFor),
    body: z.object({ seq: whole }),
    answers: {
      200: { description: 'the read seq that now holds', schema: z.object({ conversation: z.string(), seq: z.int() }) },
    },
    refuses: ['forbidden', 'not_found'],
    async handle({ principal, params, query, body }) {
      const seq = await markRead(userOf(principal, query.user), params.id, body.seq, principal.device);
      return answer({ conversation: params.id, seq });
    },
  }),
];
