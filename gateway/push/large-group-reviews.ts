import type { LimitFunction } from 'p-limit';
import type { Span } from '../../shared/model/model.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { CaughtUp, LargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import type { Registry } from '../socket/registry.ts';
import type { LargeGroupChannels } from './large-group-channels.ts';
import type { LargeGroupHandover } from './large-group-handover.ts';
import type { LargeGroupSeats } from './large-group-seats.ts';

type Review = { promise: Promise<CaughtUp | null>; again: boolean };

/** A user's place in one group as it was read. `since` is null where only the spans were read. */
type Reading = { since: number | null; spans: Span[]; lastSeq: number; version: number };

/**
 * Gives users their seats in large groups. One review does this in the only order that loses nothing (checked with an
 * explicit-state model, test/model/large-gateway.ts):
 *
 *   1. follow the channels, so that new messages wait
 *   2. read how far the groups have come, and announce that in the inbox as gaps
 *   3. hand over what has waited above that
 */
export function createLargeGroupReviews(
  groups: LargeGroups,
  channels: LargeGroupChannels,
  handover: LargeGroupHandover,
  registry: Registry,
  limit: LimitFunction,
  metrics: Pick<Metrics, 'largeReads'>,
  log: Logger,
) {
  /** Single flight: at most one review of a user runs. */
  const reviews = new Map<string, Review>();

  const isListening = (user: string): boolean => registry.of(user).some(({ session }) => session!.mode !== 'pull');

  /** Hands over what has waited for a user's seat. Answers false if the place has to be read once more. */
  function take(seats: LargeGroupSeats, user: string, { since, spans, lastSeq, version }: Reading): boolean {
    const waited = seats.place(user, since, spans, lastSeq, version);
    if (waited === null) return false;
    handover.handWaiting(user, spans, waited);
    return true;
  }

  async function seat(user: string): Promise<CaughtUp | null> {
    const conversations = await groups.of(user);
    if (!isListening(user)) return null;
    for (const conversation of channels.groupsOf(user)) {
      if (!conversations.includes(conversation)) channels.leave(user, conversation);
    }
    if (conversations.length === 0) return null;
    for (const { session } of registry.of(user)) session!.followLarge();
    await Promise.all(conversations.map((conversation) => channels.open(user, conversation)));
    metrics.largeReads.inc();
    const caughtUp = await groups.catchUp(user, conversations);
    // Send what is in the inbox now before anything that is handed over below.
    for (const { session } of registry.of(user)) session!.heard(caughtUp.head);
    let again = false;
    for (const conversation of conversations) {
      const place = caughtUp.places.get(conversation);
      const seats = channels.seatsOf(conversation);
      // The group is not large now, or the inbox lags behind it. The inbox will say so; if not, the next lease renewal.
      if (place === undefined || place.seq < place.group.lastSeq) channels.leave(user, conversation);
      else if (seats !== undefined) {
        const { lastSeq, version, spans } = place.group;
        again = !take(seats, user, { since: place.seq, spans: spans[0]!, lastSeq, version }) || again;
      }
    }
    if (again) reviews.get(user)!.again = true;
    return caughtUp;
  }

  async function seatUntilDone(user: string, one: Review): Promise<CaughtUp | null> {
    try {
      let caughtUp = await limit(seat, user);
      while (one.again) {
        one.again = false;
        const next = await limit(seat, user);
        caughtUp = next === null || caughtUp === null ? next : { ...next, headBefore: caughtUp.headBefore };
      }
      return caughtUp;
    } finally {
      reviews.delete(user);
    }
  }

  /**
   * Resolves what was announced in the inbox, null if the user has no large groups or no device that is pushed to.
   * Rejects if Redis does not answer: the seats stay as they are, and messages for an unread place go on waiting.
   */
  function review(user: string): Promise<CaughtUp | null> {
    const running = reviews.get(user);
    if (running !== undefined) {
      running.again = true;
      return running.promise;
    }
    const one: Review = { promise: Promise.resolve(null), again: false };
    reviews.set(user, one);
    one.promise = seatUntilDone(user, one);
    return one.promise;
  }

  /** Reviews a user whose devices are here. If that fails, the next check of the groups tries again. */
  function reviewSoon(user: string): void {
    if (!isListening(user)) return;
    review(user).catch((thrown: unknown) => log.warn({ event: 'large_groups_unread', user, reason: reason(thrown) }));
  }

  async function readSpans(seats: LargeGroupSeats, users: string[]): Promise<void> {
    const group = await groups.read(seats.conversation, users);
    if (group === null) return users.forEach(reviewSoon);
    users.forEach((user, i) => {
      if (!take(seats, user, { since: null, spans: group.spans[i]!, lastSeq: group.lastSeq, version: group.version }))
        reviewSoon(user);
    });
  }

  return {
    review,
    reviewSoon,
    isReviewing: (user: string): boolean => reviews.has(user),

    /** Reads the spans of users again, after a change of members that this gateway did not hear of. */
    readSpansSoon(seats: LargeGroupSeats, users: string[]): void {
      readSpans(seats, users).catch((thrown: unknown) => {
        log.warn({ event: 'large_groups_unread', conversation: seats.conversation, reason: reason(thrown) });
      });
    },
  };
}

export type LargeGroupReviews = ReturnType<typeof createLargeGroupReviews>;
