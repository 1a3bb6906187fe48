import { readOrigin } from '../../shared/model/message-text.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { receivedOf, type ReceivedOf } from '../session/received-trail.ts';
import type { ReceiptNotes } from './receipt-notes.ts';

/** Entries of an inbox that are looked at where it is not known what was handed to a device. */
const mostLooked = 200;

/** Turns received positions into receipts of the conversations that they cover. */
export function createReceivedReceipts(
  notes: Pick<ReceiptNotes, 'received'>,
  inboxes: Pick<Inboxes, 'page'>,
  log: Logger,
) {
  const told = (user: string, all: readonly ReceivedOf[]): void => {
    for (const { conversation, seq, senders } of all) notes.received(user, conversation, seq, senders);
  };

  return {
    told,

    /**
     * A device has moved from `from` to `to`, and what lies in between did not pass through here: the newest entries of
     * that range are looked at. Of older ones nothing is said; the next receipt says more.
     */
    look(user: string, from: number, to: number): void {
      inboxes
        .page(user, Math.max(from, to - mostLooked), mostLooked, { aboveIsEmpty: true })
        .then(({ items }) =>
          told(user, receivedOf(items.filter(({ position }) => position <= to).map(({ text }) => readOrigin(text)))),
        )
        .catch((thrown: unknown) => log.debug({ event: 'receipts_failed', user, reason: reason(thrown) }));
    },
  };
}

export type ReceivedReceipts = ReturnType<typeof createReceivedReceipts>;
