import type { Clock } from '../platform/clock.ts';

/**
 * Asks the server now and then whether something is missing. A push that was lost on its way, by whatever fault, is
 * found by that.
 */
export type Check = {
  /** Asks now. */
  ask(): void;
  /** The server was asked: the next time is one interval from now. */
  restart(): void;
  stop(): void;
};

/** An interval of null means not at all; it is looked at again when the server was asked for another reason. */
export function createCheck(clock: Clock, everyMs: () => number | null, ask: () => void): Check {
  let cancel = (): void => {};

  const restart = (): void => {
    cancel();
    const ms = everyMs();
    cancel = ms === null ? () => {} : clock.after(ms, askNow);
  };
  const askNow = (): void => {
    restart();
    ask();
  };

  return { ask: askNow, restart, stop: () => cancel() };
}
