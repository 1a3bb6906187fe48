import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { id } from '../../../shared/protocol/client-frames.ts';
import { actorOf, actsAs } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor, conversationParams, limitTo, member } from '../fields.ts';
import { answer, nothing, type Route, route } from '../route.ts';

const memberParams = z.object({ ...conversationParams.shape, user: id.describe('a user') });

/** The members of a conversation. Each change is also a message of the conversation, in its order. */
export function memberRoutes({ changes, views }: Pick<HttpParts, 'changes' | 'views'>): Route[] {
  const change = (method: 'put' | 'delete', name: string, summary: string, operation: 'join' | 'leave'): Route =>
    route({
      method,
      path: '/conversations/:id/members/:user',
      ...(operation === 'leave' ? { budget: null } : {}),
      name,
      summary,
      params: memberParams,
      query: z.object({
        user: id.optional().describe('service tokens only: the user to name as the author of the change'),
      }),
      answers: { 204: { description: 'done, or there was nothing to change' } },
      refuses: operation === 'join' ? ['forbidden', 'not_found', 'too_large'] : ['forbidden', 'not_found'],
      async handle({ principal, params, query }) {
        await changes.changeMember(
          principal,
          params.id,
          operation,
          actorOf(principal, query.user),
          params.user,
          randomUUID(),
        );
        return nothing;
      },
    });

  return [
    route({
      method: 'get',
      path: '/conversations/:id/members',
      name: 'listMembers',
      summary: 'The members of a conversation, in rising order of their ids.',
      params: conversationParams,
      query: z.object({ after: id.optional().describe('only ids above it'), limit: limitTo(1000, 100), ...actingFor }),
      answers: {
        200: { description: 'a page', schema: z.object({ members: z.array(member), next: z.string().optional() }) },
      },
      refuses: ['forbidden', 'not_found'],
      handle: async ({ principal, params, query }) =>
        answer(await views.members(params.id, actsAs(principal, query.user), query.after ?? '', query.limit ?? 100)),
    }),
    change('put', 'addMember', 'Add a member to a group.', 'join'),
    change('delete', 'removeMember', 'Remove a member from a group, or leave it.', 'leave'),
  ];
}
