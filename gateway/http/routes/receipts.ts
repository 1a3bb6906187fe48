import { z } from 'zod';
import { receiptsText } from '../../../shared/protocol/frame-text.ts';
import { receiptsFields } from '../../../shared/protocol/server-frames.ts';
import { actsAs } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor, conversationParams } from '../fields.ts';
import { answerText, type Route, route } from '../route.ts';

/** How far members have received and read. */
export const receiptRoutes = ({ receiptStates }: Pick<HttpParts, 'receiptStates'>): Route[] => [
  route({
    method: 'get',
    path: '/conversations/:id/receipts',
    feature: 'receipts',
    name: 'readReceipts',
    summary: 'How far the other members have received and read a conversation. A service token sees all members.',
    params: conversationParams,
    query: z.object(actingFor),
    answers: { 200: { description: 'nobody where the conversation has none', schema: z.object(receiptsFields) } },
    refuses: ['forbidden', 'not_found'],
    handle: async ({ principal, params, query }) =>
      answerText(`{${receiptsText(params.id, await receiptStates.of(params.id, actsAs(principal, query.user)))}}`),
  }),
];
