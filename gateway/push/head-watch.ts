import type { SeenHead } from '../../shared/recovery/evidence.ts';
import type { Inboxes } from '../../shared/redis/inboxes/inboxes.ts';
import { monotonicMs } from '../../shared/timing/clocks.ts';
import type { SessionState } from '../session/session-parts.ts';

/** After a push that fell back, heads are read at most this often (ms). Usually there is nothing to find. */
const lookEveryMs = 1000;

/**
 * Finds inboxes whose head is lower than this gateway has heard before. Within an epoch a head never falls, so this
 * proves that Redis has lost something, even if history had not come that far. If nobody noticed, new items would get
 * positions that the device has received already, and would never reach it.
 */
export function createHeadWatch(inboxes: Pick<Inboxes, 'head'>, doubt: (seen: SeenHead) => void) {
  let nextLookMs = 0;

  /** `head` was read after the session knew of `known`. */
  const compare = ({ user, epoch, ended }: SessionState, known: number, head: number): void => {
    if (head < known && !ended) doubt({ user, epoch, head: known });
  };

  return {
    compare,
    /** A push to this session stands at or below what it was sent. */
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
