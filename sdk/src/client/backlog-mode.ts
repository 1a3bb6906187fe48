/**
 * How a connection gets its backlog: pushed by the gateway, or read by this client page by page.
 *
 * A gateway without the feature `paced` pushes pages of its own size. On a bad network one is pushed again before it
 * has arrived, so this client asks for pages that get through. At the end of the backlog it connects again and is
 * pushed to: what comes from then on is short.
 */
export type BacklogMode = {
  /** The next connection has only live messages, and this client reads the backlog. */
  readonly isRead: boolean;
  /** A connection has begun, or the network has become better or worse. */
  judge(): void;
  /** The gateway has closed the connection because this client was too slow. */
  tooSlow(): void;
  /** The backlog was read to its end. */
  synced(): void;
};

export type BacklogModeOptions = {
  /** The gateway pushes pages that are short enough, or none. */
  isPaced(): boolean;
  isBad(): boolean;
  /** More is left of the backlog than a short page holds. */
  isLong(): boolean;
  /** Brings a connection of the other mode. */
  renew(): void;
};

export function createBacklogMode({ isPaced, isBad, isLong, renew }: BacklogModeOptions): BacklogMode {
  let isRead = false;

  return {
    get isRead() {
      return isRead;
    },
    judge() {
      if (isRead || isPaced() || !isBad() || !isLong()) return;
      isRead = true;
      renew();
    },
    tooSlow() {
      isRead ||= !isPaced();
    },
    synced() {
      if (!isRead) return;
      isRead = false;
      renew();
    },
  };
}
