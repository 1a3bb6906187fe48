import type { Witness } from '../../shared/recovery/comparison.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { SessionState } from '../session/session-parts.ts';

/** Inboxes are looked at no more often than this for pushes that fell back (ms): mostly there is nothing to find. */
const lookEveryMs = 1000;

/**
 * Looks for inboxes that end below what this gateway was told of them. Within an epoch a head never falls, so that is
 * proof that Redis has lost something, also where history had not come so far; without it what comes next would be
 * taken for what was sent before, and never reach the device.
 */
export function createHeadWatch(inboxes: Pick<Inboxes, 'head'>, doubt: (witness: Witness) => void) {
  let nextLookMs = 0;

  /** `head` was read after the session knew of `known`. */
  const compare = ({ user, epoch, ended }: SessionState, known: number, head: number): void => {
    if (head < known && !ended) doubt({ user, epoch, head: known });
  };

  return {
    compare,
    /** What was pushed to a session stands at or below what it was sent. */
    fellBack(session: SessionState): void {
      const now = monotonicMs();
      if (now < nextLookMs) return;
      nextLookMs = now + lookEveryMs;
      const { known } = session;
      inboxes.head(session.user).then(
        (head) => compare(session, known, head),
        () => undefined,
      );
    },
  };
}

export type HeadWatch = ReturnType<typeof createHeadWatch>;
