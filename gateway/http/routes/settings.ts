import { z } from 'zod';
import { userSettings } from '../../../shared/protocol/server-frames.ts';
import { userOf } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor } from '../fields.ts';
import { answer, type Route, route } from '../route.ts';

const change = z.object({
  receipts: z.boolean().optional().describe('whether others are told how far one has received and read'),
  presence: z.enum(['shared', 'nobody']).optional().describe('who may see whether one is online'),
});

/** What a user has set for itself. */
export const settingsRoutes = ({ ownSettings }: Pick<HttpParts, 'ownSettings'>): Route[] => [
  route({
    method: 'get',
    path: '/settings',
    feature: 'settings',
    name: 'getSettings',
    summary: 'What a user has set for itself. `version` rises with every change.',
    query: z.object(actingFor),
    answers: { 200: { description: 'the settings', schema: userSettings } },
    refuses: ['forbidden'],
    handle: async ({ principal, query }) => answer(await ownSettings.read(userOf(principal, query.user))),
  }),

  route({
    method: 'patch',
    path: '/settings',
    feature: 'settings',
    name: 'changeSettings',
    summary: 'Change settings of a user. Its connected devices get the frame `settings`.',
    query: z.object(actingFor),
    body: change,
    answers: { 200: { description: 'the settings', schema: userSettings } },
    refuses: ['forbidden'],
    handle: async ({ principal, query, body }) =>
      answer(await ownSettings.change(principal, userOf(principal, query.user), body)),
  }),
];
