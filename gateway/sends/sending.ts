import { badRequest } from '../../shared/model/errors.ts';
import { directConversation, sortedPair } from '../../shared/model/ids.ts';
import type { Level } from '../../shared/model/levels.ts';
import { fingerprint, messageTail } from '../../shared/model/message-text.ts';
import type { MessageClass } from '../../shared/model/model.ts';
import type { Accepted } from '../../shared/model/results.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import { bodyJson } from '../../shared/protocol/body.ts';
import type { Messages } from '../../shared/redis/streams/messages.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Budgets } from '../limits/budgets.ts';
import type { Guarded } from '../limits/write-guard.ts';

/** A send whose fields have passed their schema. */
export type SendRequest = {
  clientId: string;
  conversation?: string | undefined;
  to?: string | undefined;
  kind: string;
  body?: unknown;
  class?: MessageClass | undefined;
  after?: string | undefined;
};

/**
 * The sender of a message. For a service token, `user` is the sender that it names. `unlimited`: no send rate, as for
 * service tokens.
 */
export type Sender = { user: string; service: boolean; unlimited: boolean; /** `noDevice` by HTTP */ device: string };

/** A message of this user was accepted. Must not throw. */
export type Sent = (user: string, conversation: string, seq: number) => void;

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/** The time in a UUIDv7 (ms since 1970); 0 for any other clientId. */
const madeAt = (clientId: string): number =>
  clientId.length === 36 && uuidV7.test(clientId) ? parseInt(clientId.slice(0, 8) + clientId.slice(9, 13), 16) : 0;

/**
 * Checks a send, accepts it and counts it. Rejects with a Refusal, as Messages.accept does. `level`: what its answer
 * will wait for.
 */
export function createSending(
  messages: { accept: Guarded<Messages['accept']> },
  budgets: Pick<Budgets, 'take'>,
  mostBodyBytes: number,
  metrics: Pick<Metrics, 'accepted' | 'duplicates' | 'acceptSeconds'>,
  sent: Sent,
): (sender: Sender, request: SendRequest, level: Level) => Promise<Accepted> {
  let sends = 0;
  return async (sender, request, level) => {
    // The histogram costs more than everything else here, so only every eighth send is measured.
    const began = (sends++ & 7) === 0 ? monotonicMs() : 0;
    const { clientId, to, kind } = request;
    if ((to === undefined) === (request.conversation === undefined))
      throw badRequest('give either `conversation` or `to`');
    if (!sender.unlimited) budgets.take('send', sender);
    const json = bodyJson(request.body, mostBodyBytes);
    const messageClass = request.class ?? 'normal';
    const accepted = await messages.accept({
      conversation: to === undefined ? request.conversation! : directConversation(sender.user, to),
      sender: sender.user,
      clientId,
      fingerprint: fingerprint(kind, messageClass, json),
      right: to !== undefined ? 'direct' : sender.service ? 'service' : 'member',
      users: to === undefined ? '' : sortedPair(sender.user, to).join(','),
      device: sender.device,
      class: messageClass,
      made: madeAt(clientId),
      after: request.after ?? null,
      awaited: level === 'stored',
      tail: messageTail(sender.user, clientId, kind, json, messageClass),
    });
    if (began > 0) metrics.acceptSeconds.observe((monotonicMs() - began) / 1000);
    if (accepted.duplicate) metrics.duplicates.inc();
    else {
      metrics.accepted.inc();
      if (!sender.service) sent(sender.user, accepted.conversation, accepted.seq);
    }
    return accepted;
  };
}

export type Sending = ReturnType<typeof createSending>;
