import { createActs } from './acts.ts';
import type { Inside } from './inside.ts';

/** The client as one of the tabs that share its storage, where the option `tabs` says so. */
export function createSharing(inside: Inside, close: () => void): Pick<Inside, 'tabs' | 'acts'> {
  const { options, clock, random, environment, fault, emit, writer, storage, list, outbox, link } = inside;
  const { connection, conversations, waiting, prefetching } = inside;
  const own = createActs(inside);
  const tabs = options.tabs?.({
    storage,
    clock,
    random,
    environment,
    acts: own,
    writer,
    outbox,
    row: list.get,
    shown: () => conversations.all().map(({ id }) => id),
    show(rows, messages) {
      conversations.show(rows, messages);
      if (writer.meta.user !== null) waiting.endUserKnown();
    },
    emit,
    connection: () => connection.own,
    connectionChanged: connection.changedElsewhere,
    lead(found) {
      writer.resume(found);
      link.connect();
    },
    follow() {
      writer.stop();
      link.disconnect();
      waiting.endConnected();
      outbox.follow();
    },
    opened: (id) => prefetching?.opened(id),
    signedOut: close,
    fault,
  });
  // Only a tab that leads writes.
  if (tabs !== undefined) writer.stop();
  return { tabs, acts: tabs?.acts ?? own };
}
