import { Refusal } from './refusal.ts';
import type { Tracker, Violation } from './tracker.ts';
import type { Frame, Gap, InboxPage, Item } from './wire.ts';

export type InboxReadingOptions = {
  tracker: Tracker;
  /** Repeats a request over lost connections; the frame is made when it can go out. */
  insist(frame: () => Frame): Promise<Frame>;
  take(item: Item): void;
  takeGap(gap: Gap): void;
  violation(violation: Violation): void;
  /** The epoch has changed: the next welcome tells the new one and what may be lost. */
  reconnect(): void;
  /** The end of the inbox is reached. */
  done(): void;
};

/**
 * Reads the inbox to its end, page by page, from the tracker's position on. Whoever asks while it is read shares the
 * reading. The returned function resolves at the end; it rejects with a Refusal that is final, or when the device is
 * idle or closed.
 */
export function createInboxReading(options: InboxReadingOptions): (limit?: number) => Promise<void> {
  const { tracker, insist, violation } = options;
  let reading: Promise<void> | null = null;

  /**
   * Items and gaps in one rising order of position; a gap comes before the item at its own position. An item without a
   * position keeps its place behind the item before it.
   */
  const takePage = (page: InboxPage, after: number): void => {
    const gaps = page.gaps.map((gap) => ({ at: gap.position, take: () => options.takeGap(gap) }));
    let reached = after + 1;
    const items = page.items.map((item) => ({
      at: (reached = item.position ?? reached),
      take: () => options.take(item),
    }));
    const low = [...gaps, ...items].find((one) => one.at <= after);
    if (low !== undefined) violation({ kind: 'regress', position: low.at, received: after });
    for (const one of [...gaps, ...items].sort((a, b) => a.at - b.at)) one.take();
    tracker.pageRead(page.next);
  };

  const read = async (limit?: number): Promise<void> => {
    for (let more = true; more;) {
      let after = 0;
      const ask = (): Frame => ({ type: 'sync', after: (after = tracker.position), epoch: tracker.epoch, limit });
      try {
        const page = (await insist(ask)) as unknown as InboxPage;
        takePage(page, after);
        more = page.more;
      } catch (error) {
        if (!(error instanceof Refusal) || error.code !== 'resync_required') throw error;
        options.reconnect();
      }
    }
    options.done();
  };

  return (limit) => (reading ??= read(limit).finally(() => (reading = null)));
}
