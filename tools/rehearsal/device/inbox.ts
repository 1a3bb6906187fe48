import { auditInbox, type InboxAudit, type InboxViolation } from '../../../sdk/src/audit/inbox.ts';
import { inOrder, readGaps, readItems, readPage } from '../../../sdk/src/intake/read-frames.ts';
import { createReceived } from '../../../sdk/src/intake/received.ts';
import type { Link } from '../../../sdk/src/link/api.ts';
import { systemClock as clock } from '../../../sdk/src/platform/clock.ts';
import { Refusal } from '../../../sdk/src/refusal.ts';
import type { Frame, Gap, Item, Welcome } from '../../../sdk/src/wire.ts';

/** How far a rehearsed device has come in its inbox, and whether the server keeps its promises about it. */
export type Inbox = {
  readonly position: number;
  readonly epoch: string | undefined;
  readonly audit: InboxAudit;
  /** The fields of `hello` that say where the next connection begins; none before the first. */
  hello(): { position?: number; epoch?: string };
  welcomed(welcome: Welcome): void;
  /** Whether it is a frame of the inbox's. */
  frame(frame: Frame): boolean;
  /**
   * Reads the inbox to its end, page by page, as a `pull` device does. Whoever asks while it is read shares the
   * reading. Rejects with a final Refusal, or when the link is idle or closed.
   */
  sync(): Promise<void>;
  /** Says `received` now for what is here. */
  flush(): void;
};

export type InboxEvents = {
  /** In the order of coming. `fresh` is false for what the device has already, be it from history. */
  item?(item: Item, fresh: boolean): void;
  gap?(gap: Gap): void;
  violation?(violation: InboxViolation): void;
};

export type InboxOptions = {
  link: Link;
  holdMs: number;
  events: InboxEvents;
  fault(error: Error, where: string): void;
};

export function createInbox({ link, holdMs, events, fault }: InboxOptions): Inbox {
  const audit = auditInbox((violation) => events.violation?.(violation), clock.now);
  let position = 0;
  let epoch: string | undefined;
  let reading: Promise<void> | null = null;

  const received = createReceived({
    clock,
    holdMs: () => holdMs,
    tell(reached) {
      if (link.tell({ type: 'received', position: reached })) audit.told(reached);
    },
  });

  const reach = (to: number, pushed: boolean): void => {
    position = Math.max(position, to);
    received.stored(to, pushed);
  };

  const takeItem = (item: Item, pageAfter?: number): void => {
    events.item?.(item, audit.item(item, pageAfter));
    if (item.position !== undefined) reach(item.position, pageAfter === undefined);
  };

  const takeGap = (gap: Gap, pushed: boolean): void => {
    events.gap?.(gap);
    reach(gap.position, pushed);
  };

  const takePage = (page: Frame, after: number): boolean => {
    const { items, gaps, next, more } = readPage(page, fault);
    for (const entry of inOrder({ items, gaps })) {
      if ('item' in entry) takeItem(entry.item, after);
      else {
        audit.gap(entry.gap.position, after);
        takeGap(entry.gap, false);
      }
    }
    reach(next, false);
    return more;
  };

  const read = async (): Promise<void> => {
    for (let more = true; more;) {
      let after = 0;
      const ask = (): Frame => ({ type: 'sync', after: (after = position), epoch });
      try {
        more = takePage(await link.insist(ask), after);
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== 'resync_required') throw error;
        // The next welcome tells the new epoch, and what may be lost.
        link.renew();
      }
    }
    received.flush();
  };

  return {
    get position() {
      return position;
    },
    get epoch() {
      return epoch;
    },
    audit,
    hello: () => (epoch === undefined ? {} : { position, epoch }),
    welcomed(welcome) {
      if (welcome.reset === true || (epoch !== undefined && epoch !== welcome.epoch)) position = 0;
      else if (epoch === undefined) position = welcome.position;
      epoch = welcome.epoch;
      audit.welcomed(welcome, position);
      received.restart(position);
    },
    frame(frame) {
      if (frame.type === 'deliver') for (const item of readItems(frame['items'], fault)) takeItem(item);
      else if (frame.type === 'gap') for (const gap of readGaps([frame], fault)) takeGap(gap, true);
      else return false;
      return true;
    },
    sync: () => (reading ??= read().finally(() => (reading = null))),
    flush: received.flush,
  };
}
