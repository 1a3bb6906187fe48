import type { Clock } from '../platform/clock.ts';

/**
 * Says `received` for what is stored, held back for a moment so that one covers many messages. A hidden page says it at
 * once, because its timers may come a minute late.
 */
export type Received = {
  /**
   * Everything up to this position is stored. `pushed`: it came unasked. If it was said to be received before, the
   * server has not heard that, and it is said again.
   */
  stored(position: number, pushed?: boolean): void;
  /** A new connection begins after this position. */
  restart(position: number): void;
  /** Something is stored and was not said. */
  readonly owes: boolean;
  /** Says now what was held back. */
  flush(): void;
};

export type ReceivedOptions = {
  clock: Clock;
  holdMs(): number;
  tell(position: number): void;
};

export function createReceived({ clock, holdMs, tell }: ReceivedOptions): Received {
  let position = 0;
  let told = 0;
  let cancel: (() => void) | null = null;

  const flush = (): void => {
    cancel?.();
    cancel = null;
    if (position <= told) return;
    told = position;
    tell(position);
  };

  return {
    stored(reached, pushed) {
      position = Math.max(position, reached);
      if (pushed && reached <= told) told = reached - 1;
      if (position <= told) return;
      const ms = holdMs();
      if (ms === 0) flush();
      else cancel ??= clock.after(ms, flush);
    },
    restart(reached) {
      position = told = reached;
      // Nothing is left to say: this only ends the wait.
      flush();
    },
    get owes() {
      return position > told;
    },
    flush,
  };
}
