import type { Clock } from '../platform/clock.ts';
import { tickMs } from './limits.ts';

/** `lateMs` is how far from its time a tick came: below zero when the clock was put back. */
export type Tick = (now: number, lateMs: number) => void;

type Ticker = { readonly listeners: Set<Tick>; stop(): void };

/** A process may hold a thousand links: one timer a second serves all of a clock. */
const tickers = new WeakMap<Clock, Ticker>();

function startTicker(clock: Clock): Ticker {
  const listeners = new Set<Tick>();
  let cancel = (): void => {};
  const plan = (): void => {
    const due = clock.now() + tickMs;
    cancel = clock.after(tickMs, () => {
      const now = clock.now();
      plan();
      for (const tick of listeners) tick(now, now - due);
    });
  };
  plan();
  return { listeners, stop: () => cancel() };
}

/** Calls `tick` about once a second, until the returned function is called. Without listeners there is no timer. */
export function everySecond(clock: Clock, tick: Tick): () => void {
  let ticker = tickers.get(clock);
  if (ticker === undefined) tickers.set(clock, (ticker = startTicker(clock)));
  const { listeners, stop } = ticker;
  listeners.add(tick);
  return () => {
    if (!listeners.delete(tick) || listeners.size > 0) return;
    stop();
    tickers.delete(clock);
  };
}
