import { z } from 'zod';
import { mostPresenceUsers } from '../../../shared/model/limits.ts';
import { id } from '../../../shared/protocol/client-frames.ts';
import { presenceText } from '../../../shared/protocol/frame-text.ts';
import { presenceFields } from '../../../shared/protocol/server-frames.ts';
import { actsAs } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor } from '../fields.ts';
import { answerText, type Route, route } from '../route.ts';

const listed = z.array(id).min(1).max(mostPresenceUsers);
const users = z
  .string()
  .refine((text) => listed.safeParse(text.split(',')).success, `must be 1 to ${mostPresenceUsers} ids, comma-separated`)
  .describe(`at most ${mostPresenceUsers} users, comma-separated`);

/** Who is online. */
export const presenceRoutes = ({ presence }: Pick<HttpParts, 'presence'>): Route[] => [
  route({
    method: 'get',
    path: '/presence',
    feature: 'presence',
    name: 'getPresence',
    summary:
      'Who of these users is online, and when they were last seen. A service token that acts for nobody sees all.',
    query: z.object({ users, ...actingFor }),
    answers: { 200: { description: 'one answer for each user', schema: z.object(presenceFields) } },
    refuses: ['forbidden'],
    async handle({ principal, query }) {
      const actor = actsAs(principal, query.user);
      const asker = { user: actor ?? principal.user, service: actor === null };
      return answerText(`{${presenceText(await presence.ask(asker, query.users.split(',')))}}`);
    },
  }),
];
