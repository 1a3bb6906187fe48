import { createClientIds } from '../outbox/client-ids.ts';
import { createOutbox, type Elsewhere, type Outbox } from '../outbox/outbox.ts';
import { acceptedMessage } from './accepted.ts';
import type { Inside } from './inside.ts';

/** What the user says, on its way to the server. */
export function createSending(inside: Inside): Outbox {
  const { options, clock, random, fault, emit, emitToAll, meter, writer, storage, storageState, link } = inside;
  const { connection, conversations, intake } = inside;

  /** While another tab sends. */
  const elsewhere: Elsewhere = {
    store: (entry) => inside.tabs!.store(entry),
    cancel: (clientId) => void inside.acts.cancel(clientId).catch(() => {}),
    retry: (clientId) => void inside.acts.retry(clientId).catch(() => {}),
  };

  const outbox: Outbox = createOutbox({
    writer,
    persistent: () => storage.persistent,
    clock,
    random,
    newClientId: createClientIds(connection.now),
    ask: link.ask,
    has: connection.has,
    limits: () => connection.current.limits ?? { maxBodyBytes: Number.MAX_SAFE_INTEGER, sendPerSecond: 0 },
    pace: () => meter.pace,
    isFocused: (id) => conversations.find(id)?.isFocused === true,
    accepted(entry, frame, also, settle) {
      const message = acceptedMessage(entry, frame, writer.meta.user!);
      const done = (): void => {
        settle();
        storageState.keep();
        emitToAll('accepted', { clientId: entry.clientId, message: entry.answer! });
      };
      intake.own(message, also, done);
    },
    changed(lane, entry) {
      conversations.find(lane)?.outboxChanged();
      const { clientId, state, fault: refused } = entry;
      if (state !== 'accepted')
        inside.tabs?.tell(outbox.handle(clientId) === undefined ? { cancelled: clientId } : { entry });
      if (state === 'failed' && refused !== undefined) emit('failed', { clientId, conversation: lane, ...refused });
      inside.changedStatus();
    },
    elsewhere: () => (connection.follows ? elsewhere : null),
    keepAccepted: options.outbox?.keepAccepted ?? 1000,
    fault,
  });
  return outbox;
}
