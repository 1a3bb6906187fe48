import { z } from 'zod';
import { id } from '../../../shared/protocol/client-frames.ts';
import { mustBeOwn, userOf } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor } from '../fields.ts';
import { answer, nothing, type Route, route } from '../route.ts';

const device = z.object({
  device: z.string(),
  position: z.int().describe('it has received the inbox up to this position'),
  lastSeen: z.int().describe('milliseconds since 1970'),
  online: z.boolean(),
  ephemeral: z.literal(true).optional().describe('it is forgotten 60 s after its connection has ended'),
});

/** The devices of a user. */
export const deviceRoutes = ({ inboxes, removeDevice }: Pick<HttpParts, 'inboxes' | 'removeDevice'>): Route[] => [
  route({
    method: 'get',
    path: '/devices',
    name: 'listDevices',
    summary: 'The devices of a user, the most recently seen first.',
    query: z.object(actingFor),
    answers: { 200: { description: 'all devices', schema: z.object({ devices: z.array(device) }) } },
    refuses: ['forbidden'],
    async handle({ principal, query }) {
      const devices = (await inboxes.devices(userOf(principal, query.user)))
        .sort((one, other) => other.lastSeen - one.lastSeen)
        .map(({ ephemeral, ...one }) => (ephemeral ? { ...one, ephemeral } : one));
      return answer({ devices });
    },
  }),

  route({
    method: 'delete',
    path: '/devices/:id',
    name: 'forgetDevice',
    summary:
      'Forget a device and its position. Its connection is closed with 4403, and tokens issued before now are ' +
      'refused for it. A token that is bound to a device can remove only that device.',
    params: z.object({ id: id.describe('a device') }),
    query: z.object(actingFor),
    answers: { 204: { description: 'forgotten; tokens issued from now on are good' } },
    refuses: ['forbidden', 'not_found'],
    async handle({ principal, params, query }) {
      const user = userOf(principal, query.user);
      mustBeOwn(principal, params.id);
      await removeDevice(user, params.id);
      return nothing;
    },
  }),
];
