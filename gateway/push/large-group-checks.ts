import type { LimitFunction } from 'p-limit';
import { pushInFlightMs } from '../../shared/model/limits.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { LargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import type { LargeGroupChannels } from './large-group-channels.ts';
import type { LargeGroupReviews } from './large-group-reviews.ts';
import type { LargeGroupSeats } from './large-group-seats.ts';

/** Compares the followed groups with Redis, which finds publishes that were lost, and seats that could not be read. */
export function createLargeGroupChecks(
  groups: LargeGroups,
  channels: LargeGroupChannels,
  { reviewSoon, isReviewing }: Pick<LargeGroupReviews, 'reviewSoon' | 'isReviewing'>,
  limit: LimitFunction,
  metrics: Pick<Metrics, 'largeLost'>,
  log: Logger,
  faults: Faults,
) {
  /** Messages up to `lastSeq` will not come any more: every seat is reviewed, which announces them. */
  function lost(seats: LargeGroupSeats, lastSeq: number): void {
    log.warn({
      event: 'large_publish_lost',
      conversation: seats.conversation,
      fromSeq: seats.newest + 1,
      toSeq: lastSeq,
    });
    metrics.largeLost.inc({ why: 'publish' }, lastSeq - seats.newest);
    seats.lose(lastSeq).forEach(reviewSoon);
  }

  /**
   * A message that is not published yet is not lost. So while the fanout may still be at work, a message has until the
   * next check to arrive.
   */
  async function checkGroup(seats: LargeGroupSeats): Promise<void> {
    const group = await groups.read(seats.conversation, []);
    if (group === null) return [...seats.seats.keys()].forEach(reviewSoon);
    if (seats.newest === -1) return [...seats.seats.keys()].filter((user) => !isReviewing(user)).forEach(reviewSoon);
    const { expected } = seats;
    seats.expected = group.lastSeq;
    if (seats.newest < expected) return lost(seats, expected);
    // A seat that still waits could not be read.
    for (const { user, waiting } of [...seats.seats.values()])
      if (waiting !== null && !isReviewing(user)) reviewSoon(user);
    if (group.published && seats.newest < group.lastSeq) {
      setTimeout(
        faults.contained('timer', () => seats.newest < group.lastSeq && lost(seats, group.lastSeq)),
        pushInFlightMs,
      );
    }
  }

  async function checkAll(): Promise<void> {
    await Promise.all(
      channels.all().map((seats) =>
        limit(checkGroup, seats).catch((thrown: unknown) => {
          log.warn({ event: 'large_groups_unread', conversation: seats.conversation, reason: reason(thrown) });
        }),
      ),
    );
  }

  let checking: Promise<void> | null = null;

  return {
    /** Single flight. Never rejects, but may take as long as Redis does not answer. */
    check(): Promise<void> {
      checking ??= checkAll().finally(() => (checking = null));
      return checking;
    },
  };
}
