import { randomUUID } from 'node:crypto';
import type { AmendAction } from '../../shared/model/amendment.ts';
import { badRequest } from '../../shared/model/errors.ts';
import { directConversation } from '../../shared/model/ids.ts';
import type { Level } from '../../shared/model/levels.ts';
import { bodyHash } from '../../shared/model/message-text.ts';
import type { Amended } from '../../shared/model/results.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { bodyJson } from '../../shared/protocol/body.ts';
import type { Amends } from '../../shared/redis/streams/amends.ts';
import type { Budgets } from '../limits/budgets.ts';
import type { Guarded } from '../limits/write-guard.ts';
import type { Sender } from './sending.ts';

/** An amend whose fields have passed their schema. */
export type AmendRequest = {
  conversation?: string | undefined;
  to?: string | undefined;
  seq: number;
  action: AmendAction;
  body?: unknown;
  clientId?: string | undefined;
  ifVersion?: number | undefined;
};

/**
 * Checks an amend, has it accepted and counts it. It costs as much as a send. Rejects with a Refusal, as Amends.amend
 * does. `level`: what its answer will wait for.
 */
export function createAmending(
  amends: { amend: Guarded<Amends['amend']> },
  budgets: Pick<Budgets, 'take'>,
  /** How long a sender may recall and edit (ms); 0: no limit. */
  within: { recallMs: number; editMs: number },
  mostBodyBytes: number,
  metrics: Pick<Metrics, 'amended'>,
): (sender: Sender, request: AmendRequest, level: Level) => Promise<Amended> {
  return async (sender, request, level) => {
    const { to, seq, action, clientId } = request;
    if ((to === undefined) === (request.conversation === undefined))
      throw badRequest('give either `conversation` or `to`');
    if (!sender.unlimited) budgets.take('send', sender);
    const body = action === 'edit' ? bodyJson(request.body, mostBodyBytes) : null;
    const amended = await amends.amend({
      conversation: to === undefined ? request.conversation! : directConversation(sender.user, to),
      by: sender.user,
      service: sender.service,
      seq,
      action,
      body,
      hash: body === null ? '*' : bodyHash(body),
      clientId: clientId ?? randomUUID(),
      isNamed: clientId !== undefined,
      device: sender.device,
      ifVersion: request.ifVersion,
      withinMs: action === 'recall' ? within.recallMs : within.editMs,
      awaited: level === 'stored',
    });
    metrics.amended.inc({ action, result: amended.accepted.duplicate ? 'duplicate' : 'accepted' });
    return amended;
  };
}

export type Amending = ReturnType<typeof createAmending>;
