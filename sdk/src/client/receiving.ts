import { createIntake } from '../intake/intake.ts';
import { createReads } from '../intake/reads.ts';
import type { Inside } from './inside.ts';

const isPassedOn = (type: string): type is 'receipt' | 'typing' | 'presence' =>
  type === 'receipt' || type === 'typing' || type === 'presence';

/** What the server sends, and what becomes of it. */
export function createReceiving(inside: Inside): Pick<Inside, 'intake' | 'reads' | 'takeFrame'> {
  const { clock, isLazy, fault, observe, meter, backlog, writer, list, link, insist } = inside;
  const { connection, conversations, emitToAll } = inside;
  const { has } = connection;

  const intake = createIntake({
    writer,
    clock,
    lazy: isLazy,
    direct: inside.direct,
    insist,
    tell: (frame) => link.tell(has('paced') ? { ...frame, pageItems: meter.pace.backlogItems } : frame),
    target: conversations.target,
    isOpen: conversations.isOpen,
    readsBacklog: () => backlog.isRead,
    holdMs: () => meter.pace.holdMs,
    backlogItems: () => meter.pace.backlogItems,
    historyItems: () => meter.pace.historyItems,
    unreadHere: () => list.all().flatMap(({ id, unread }) => (unread > 0 ? [id] : [])),
    renew: link.renew,
    events: {
      message({ message, first }, live) {
        if (live) observe({ type: 'deliver', lagMs: link.now() - message.at });
        emitToAll('message', { message, live, first });
      },
      amended: (message) => emitToAll('amended', { message }),
      filled: (conversation, rows, ms) => observe({ type: 'fill', conversation, rows, ms }),
      gap: (gap) => emitToAll('gap', gap),
      reset: (lostSince) => emitToAll('reset', lostSince === undefined ? {} : { lostSince }),
      synced() {
        connection.setSynced(true);
        meter.synced();
        inside.check.ask();
        inside.prefetching?.synced();
        connection.changed();
        for (const { outboxChanged } of conversations.all()) outboxChanged();
        backlog.synced();
      },
      fault,
    },
  });

  const reads = createReads({ writer, insist, has });

  return {
    intake,
    reads,
    takeFrame(frame) {
      if (intake.frame(frame)) return;
      const { conversation, seq } = frame;
      if (frame.type === 'read' && typeof conversation === 'string' && typeof seq === 'number') {
        reads.elsewhere(conversation, seq).catch((error: unknown) => fault(error as Error, 'reads'));
        emitToAll('read', { conversation, seq });
      } else if (isPassedOn(frame.type)) emitToAll(frame.type, frame);
    },
  };
}
