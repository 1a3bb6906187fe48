import { Refusal } from '../../shared/model/errors.ts';
import { createReceipts } from '../../shared/redis/conversations/receipts.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { Features } from '../features.ts';
import type { PeerReceipts } from '../reads/conversation-views.ts';
import { createReceiptStates } from '../reads/receipt-states.ts';
import { createReceiptNotes } from '../receipts/receipt-notes.ts';
import { createReceivedReceipts } from '../receipts/received-receipts.ts';
import type { SessionParts } from '../session/session-parts.ts';
import type { GatewayContext } from './context.ts';
import type { Sessions } from './sessions.ts';
import type { Stores } from './stores.ts';

/** How far users have received and read: noted, told and asked for. */
export function createReceiptParts(
  { config, lifecycle, log, metrics, faults, keys }: GatewayContext,
  { redis, deployment, conversations, inboxes, loading, openAgain, settings }: Stores,
  { registry, hints, ownSettings }: Sessions,
  features: Pick<Features, 'serves'>,
) {
  const receipts = createReceipts(redis, keys, config.RECEIPTS_MAX_MEMBERS, {
    load: (id) => loading.conversation(conversations, id),
    closed: openAgain,
    seen: deployment.answerFor,
  });
  const isServed = (): boolean => features.serves('receipts');
  const notes = createReceiptNotes({
    note: receipts.note,
    keys,
    isServed,
    takesPart: ownSettings.takesPart,
    sendersOf: (user, conversation) =>
      registry.of(user).flatMap(({ session }) => session?.sendersOf(conversation) ?? []),
    tell: hints.tell,
    metrics,
    log,
    faults,
    now: monotonicMs,
  });
  lifecycle.opened('receipts', notes.flush);
  const received = createReceivedReceipts(notes, inboxes, log);
  const states = createReceiptStates(receipts, ownSettings.takesPart, settings.withoutReceipts);

  const peer: PeerReceipts = async (conversation, user) => {
    if (!isServed()) return {};
    try {
      return await states.peer(conversation, user);
    } catch (thrown) {
      if (thrown instanceof Refusal) return {};
      throw thrown;
    }
  };

  const ofSessions: Pick<SessionParts, 'takesPart' | 'receivedOf' | 'receivedUnseen'> = {
    takesPart: (user) => isServed() && ownSettings.of(user)?.receipts === true,
    receivedOf: ({ user }, all) => received.told(user, all),
    receivedUnseen: ({ user }, from, to) => received.look(user, from, to),
  };
  return { notes, received, states, peer, ofSessions };
}

export type ReceiptParts = ReturnType<typeof createReceiptParts>;
