import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Following } from '../../shared/redis/push-bus.ts';
import { LargeGroupSeats } from './large-group-seats.ts';

type Followed = { seats: LargeGroupSeats; ready: Promise<void> };

/**
 * The channels of large groups that this gateway follows, and the seats of its users in them. A channel is followed
 * from the first seat of its group to the last.
 */
export function createLargeGroupChannels(following: Following, log: Logger, faults: Faults) {
  const followed = new Map<string, Followed>();
  /** The groups in which each user has a seat. */
  const seated = new Map<string, Set<string>>();
  const none: ReadonlySet<string> = new Set();

  function follow(conversation: string): Followed {
    const seats = new LargeGroupSeats(conversation);
    const group = { seats, ready: following.follow(conversation) };
    followed.set(conversation, group);
    // The next lease renewal finds that these users have no seat, and reviews them again.
    group.ready.catch(
      faults.contained('push', () => [...seats.seats.keys()].forEach((user) => leave(user, conversation))),
    );
    return group;
  }

  function leave(user: string, conversation: string): void {
    seated.get(user)?.delete(conversation);
    if (seated.get(user)?.size === 0) seated.delete(user);
    const group = followed.get(conversation);
    if (group === undefined) return;
    group.seats.seats.delete(user);
    if (group.seats.seats.size > 0) return;
    followed.delete(conversation);
    following
      .unfollow(conversation)
      .catch((thrown: unknown) => log.debug({ event: 'unfollow_failed', conversation, reason: reason(thrown) }));
  }

  return {
    /** Gives a user a seat whose place is still to be read. Resolves when the channel is followed. */
    open(user: string, conversation: string): Promise<void> {
      const group = followed.get(conversation) ?? follow(conversation);
      group.seats.open(user);
      const conversations = seated.get(user);
      if (conversations === undefined) seated.set(user, new Set([conversation]));
      else conversations.add(conversation);
      return group.ready;
    },

    leave,

    /** Undefined for a group that is not followed. */
    seatsOf: (conversation: string): LargeGroupSeats | undefined => followed.get(conversation)?.seats,

    groupsOf: (user: string): ReadonlySet<string> => seated.get(user) ?? none,

    all: (): LargeGroupSeats[] => [...followed.values()].map(({ seats }) => seats),

    get size(): number {
      return followed.size;
    },
  };
}

export type LargeGroupChannels = ReturnType<typeof createLargeGroupChannels>;
