import pLimit from 'p-limit';
import type { Faults } from '../../shared/process/faults.ts';
import type { Logger } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { LargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import type { Following, LargeMessage } from '../../shared/redis/push-bus.ts';
import type { Registry } from '../socket/registry.ts';
import { createLargeGroupChannels } from './large-group-channels.ts';
import { createLargeGroupChecks } from './large-group-checks.ts';
import { createLargeGroupHandover, framesOf } from './large-group-handover.ts';
import { createLargeGroupReviews } from './large-group-reviews.ts';
import type { Seat } from './large-group-seats.ts';

const readsAtOnce = 64;

/**
 * Push of large groups (fan-out on read). Every group with a member at this gateway is followed on its own channel, and
 * each message there goes to all members here. No message of it stands in an inbox, so what a device may have missed is
 * announced there as a gap: at its hello, when it joins, and whenever a publish may have been lost.
 */
export function createLargeGroupPush(
  groups: LargeGroups,
  following: Following,
  registry: Registry,
  metrics: Pick<Metrics, 'largeReads' | 'largeLost'>,
  log: Logger,
  faults: Faults,
) {
  const limit = pLimit(readsAtOnce);
  const channels = createLargeGroupChannels(following, log, faults);
  const handover = createLargeGroupHandover(registry);
  const reviews = createLargeGroupReviews(groups, channels, handover, registry, limit, metrics, log);
  const { review, reviewSoon, readSpansSoon } = reviews;
  const { check } = createLargeGroupChecks(groups, channels, reviews, limit, metrics, log, faults);

  return {
    review,
    reviewSoon,
    check,
    flush: handover.flush,

    /** One message of a group that this gateway follows. `flush` writes it. */
    pass(message: LargeMessage): void {
      const seats = channels.seatsOf(message.conversation);
      if (seats === undefined) return;
      const { to, missed, stale, gone, lost } = seats.pass(message);
      if (lost > 0) metrics.largeLost.inc({ why: 'publish' }, lost);
      if (gone !== null) channels.leave(gone, message.conversation);
      const frameFor = framesOf(message);
      for (const { user, spans } of to) handover.hand(user, message, frameFor(spans));
      missed.forEach(reviewSoon);
      if (stale.length > 0) readSpansSoon(seats, stale);
    },

    /**
     * The users here that are members now; nobody if members of this version are not known here yet, because somebody
     * may have left by it.
     */
    membersAt(conversation: string, version: number): string[] {
      const seats = channels.seatsOf(conversation);
      if (seats === undefined || seats.version < version) return [];
      const isMember = ({ spans }: Seat): boolean => spans.at(-1)?.left === null;
      return [...seats.seats.values()].filter(isMember).map(({ user }) => user);
    },

    /** A device of this user was too slow for some messages, so its places are read again. */
    dropped(user: string): void {
      metrics.largeLost.inc({ why: 'device' });
      for (const conversation of channels.groupsOf(user)) channels.seatsOf(conversation)?.lack(user);
      reviewSoon(user);
    },

    /** The last device of a user is gone. */
    remove(user: string): void {
      for (const conversation of [...channels.groupsOf(user)]) channels.leave(user, conversation);
    },

    /** Reviews a user whose large groups in Redis are not those in which it has seats. */
    compare(user: string, conversations: string[]): void {
      const seated = channels.groupsOf(user);
      if (seated.size === conversations.length && conversations.every((one) => seated.has(one))) return;
      reviewSoon(user);
    },

    /** The groups that are followed, with the newest seq and the users here. */
    all: channels.all,

    /** How many groups are followed. */
    get size(): number {
      return channels.size;
    },
  };
}

export type LargeGroupPush = ReturnType<typeof createLargeGroupPush>;
