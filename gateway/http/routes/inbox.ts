import { z } from 'zod';
import { badRequest, Refusal, retryLater } from '../../../shared/model/errors.ts';
import { pageItems } from '../../../shared/model/limits.ts';
import { id, whole } from '../../../shared/protocol/client-frames.ts';
import { pageText } from '../../../shared/protocol/frame-text.ts';
import { pageFields } from '../../../shared/protocol/server-frames.ts';
import { mustBeOwn, userOf } from '../acting.ts';
import type { HttpParts } from '../context.ts';
import { actingFor, limitTo, querySeq } from '../fields.ts';
import { answer, answerText, type Route, route } from '../route.ts';

const epoch = z.string().min(1).max(128).describe('the epoch of the position; default: the current one');

/** The inbox for clients without a WebSocket. */
export const inboxRoutes = ({
  inboxes,
  inboxPage,
  receivedReceipts,
}: Pick<HttpParts, 'inboxes' | 'inboxPage' | 'receivedReceipts'>): Route[] => [
  route({
    method: 'get',
    path: '/inbox',
    name: 'readInbox',
    summary: 'Read a page of the inbox. Changes no position.',
    query: z.object({
      after: querySeq.optional().describe('only positions above it; default: that of `device`, or 0'),
      limit: limitTo(pageItems, pageItems),
      device: id.optional().describe('the device whose position is the default of `after`; an unknown device is at 0'),
      epoch: epoch.optional(),
      ...actingFor,
    }),
    answers: { 200: { description: 'a page', schema: z.object(pageFields) } },
    refuses: ['forbidden', 'resync_required'],
    async handle({ principal, query: { after, limit, device, ...query } }) {
      const user = userOf(principal, query.user);
      mustBeOwn(principal, device);
      const from = after ?? (device === undefined ? 0 : { device });
      const page = await inboxPage(user, from, limit ?? pageItems, { epoch: query.epoch, aboveIsEmpty: true });
      return answerText(`{${pageText(page)}}`);
    },
  }),

  route({
    method: 'post',
    path: '/inbox/received',
    name: 'receivedInbox',
    summary: 'Move the received position of a device forward. It never goes back.',
    query: z.object(actingFor),
    body: z.object({ device: id, position: whole, epoch: epoch.optional() }),
    answers: {
      200: { description: 'the position that now holds', schema: z.object({ device: z.string(), position: z.int() }) },
    },
    refuses: ['forbidden', 'resync_required'],
    async handle({ principal, query, body: { device, position, ...body } }) {
      const user = userOf(principal, query.user);
      mustBeOwn(principal, device);
      const current = body.epoch ?? (await inboxes.epoch(user));
      const [outcome] = await inboxes.advance([{ user, epoch: current, device, position, gateway: '', session: '' }]);
      if (outcome === 'epoch') {
        if (body.epoch === undefined) throw retryLater('the epoch is changing');
        throw new Refusal('resync_required', 'the epoch has changed: begin again at 0');
      }
      if (outcome === 'above') throw badRequest('position: above the head of the inbox');
      if (outcome === 'moved') {
        receivedReceipts.look(user, 0, position);
        return answer({ device, position });
      }
      const known = (await inboxes.devices(user)).find((one) => one.device === device);
      return answer({ device, position: known?.position ?? position });
    },
  }),
];
