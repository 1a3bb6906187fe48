import type { OutboxPace } from '../outbox/outbox.ts';
import type { Environment } from '../platform/environment.ts';

/** How much is asked for and sent at once. */
export type Pace = {
  outbox(): OutboxPace;
  /** Messages in a page of history. */
  historyItems(): number;
  /** How long `received` is held back. */
  holdMs(): number;
};

export function createPace(environment: Environment): Pace {
  const outbox: OutboxPace = { lanes: 16, perLane: 8, retry: { minMs: 250, maxMs: 2000 }, holdLow: false };
  return {
    outbox: () => outbox,
    historyItems: () => 50,
    // A hidden page's timers may come a minute late, so nothing waits for one.
    holdMs: () => (environment.visible() ? 75 : 0),
  };
}
