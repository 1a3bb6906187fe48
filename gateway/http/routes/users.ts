import { z } from 'zod';
import { Refusal } from '../../../shared/model/errors.ts';
import { id } from '../../../shared/protocol/client-frames.ts';
import type { HttpParts } from '../context.ts';
import { nothing, type Route, route } from '../route.ts';

/** What a back end can do with a user. */
export const userRoutes = ({ disconnect, audit }: Pick<HttpParts, 'disconnect' | 'audit'>): Route[] => [
  route({
    method: 'post',
    path: '/users/:user/disconnect',
    name: 'disconnectUser',
    summary:
      'Close every connection of a user with 4403, and refuse the tokens issued to it before now. Service tokens only.',
    params: z.object({ user: id.describe('a user') }),
    answers: { 204: { description: 'done; tokens issued from now on are good' } },
    refuses: ['forbidden'],
    async handle({ principal, params }) {
      if (!principal.service) throw new Refusal('forbidden', 'only a service token disconnects users');
      await disconnect(params.user);
      audit.disconnected(principal.user, params.user);
      return nothing;
    },
  }),
];
