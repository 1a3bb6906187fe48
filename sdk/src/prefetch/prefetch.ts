import type { Quality } from '../quality/estimate.ts';
import type { Prefetch, PrefetchParts, Prefetching, Rank } from './api.ts';
import { choose, lastActivity, newestItems } from './choose.ts';
import { createTally } from './tally.ts';

export type PrefetchOptions = {
  /** Which conversations are fetched first. Default: those with the newest messages. */
  rank?: Rank;
};

/** How long the connection must have been read to its end: what the user does then goes first. */
const idleMs = 2000;

/** How many conversations one connection may fetch. */
const mostBy: Record<Quality, number> = { good: 3, poor: 1, bad: 0, offline: 0 };

type Network = { navigator?: { connection?: { saveData?: boolean } } };

/** The user has asked the browser for as little traffic as possible. */
const savesData = (): boolean => (globalThis as Network).navigator?.connection?.saveData === true;

type Idle = { requestIdleCallback?: (run: () => void, options: { timeout: number }) => void };

/** When the browser has nothing else to do, or after a while in which it had. */
const whenIdle = (run: () => void): void => {
  const { requestIdleCallback } = globalThis as Idle;
  if (requestIdleCallback === undefined) run();
  else requestIdleCallback(run, { timeout: 10_000 });
};

/**
 * Fetches the newest messages of the conversations that are likely to be opened next, one page each, once for a
 * connection and when there is nothing else to do. It stops by itself where the pages are not opened.
 */
export const prefetch =
  ({ rank = lastActivity }: PrefetchOptions = {}): Prefetch =>
  (parts) =>
    createPrefetching(parts, rank);

function createPrefetching({ clock, now, rows, quality, fetch, fault }: PrefetchParts, rank: Rank): Prefetching {
  const tally = createTally(now);
  let turn = 0;
  let cancel = (): void => {};

  const most = (): number => (savesData() ? 0 : mostBy[quality()]);

  const run = async (mine: number): Promise<void> => {
    if (mine !== turn || !tally.isWorthIt) return;
    for (const id of choose(rows(), rank, most(), now())) {
      // The network may have become worse meanwhile.
      if (mine !== turn || most() === 0) return;
      tally.fetched(id, await fetch(id, newestItems));
    }
  };

  const start = (mine: number): void => {
    run(mine).catch((error: unknown) => fault(error as Error, 'prefetch'));
  };

  return {
    synced() {
      const mine = ++turn;
      cancel();
      cancel = clock.after(idleMs, () => whenIdle(() => start(mine)));
    },
    pause() {
      turn++;
      cancel();
    },
    opened: tally.opened,
    report: tally.report,
  };
}
