import pLimit from 'p-limit';
import { pushInFlightMs } from '../../shared/model/limits.ts';
import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Metrics } from '../../shared/process/metrics.ts';
import type { CaughtUp, LargeGroups } from '../../shared/redis/conversations/large-groups.ts';
import type { Following, LargeMessage } from '../../shared/redis/push-bus.ts';
import { LargeItem } from '../session/shared-frame.ts';
import type { Connection } from '../socket/connection.ts';
import type { Registry } from '../socket/registry.ts';
import { LargeSeats, type Seat } from './large-group-seats.ts';

const readsAtOnce = 64;

type Review = { promise: Promise<CaughtUp | null>; again: boolean };

/**
 * The large groups whose members have devices at this gateway: each is followed on its own channel, and a message that
 * comes there goes to every member here. Nothing of it stands in an inbox, so what a device may have missed is
 * announced there as a gap: when it says hello, when it has joined, and whenever a publish may have been lost.
 *
 * `review` gives a user its seats: follows its groups first, so that what comes from then on waits; then reads how far
 * they have come and announces that; then hands over what has waited beyond. So nothing falls between the announcement
 * and the first message (checked with an explicit-state model, test/model/large-gateway.ts).
 */
export function createLargeIndex(
  groups: LargeGroups,
  following: Following,
  registry: Registry,
  metrics: Pick<Metrics, 'largeReads' | 'largeLost'>,
  log: Logger,
  faults: Faults,
) {
  const followed = new Map<string, { seats: LargeSeats; ready: Promise<void> }>();
  /** The groups in which a user has a seat. */
  const seated = new Map<string, Set<string>>();
  const reviews = new Map<string, Review>();
  const limit = pLimit(readsAtOnce);
  const touched = new Set<Connection>();

  const isListening = (user: string): boolean => registry.of(user).some(({ session }) => session!.mode !== 'pull');

  function open(user: string, conversation: string): Promise<void> {
    let group = followed.get(conversation);
    if (group === undefined) {
      const seats = new LargeSeats(conversation);
      group = { seats, ready: following.follow(conversation) };
      followed.set(conversation, group);
      // Without seats its users are looked at again with the next renewal.
      group.ready.catch(
        faults.contained('push', () => [...seats.seats.keys()].forEach((one) => leave(one, conversation))),
      );
    }
    group.seats.open(user);
    const sets = seated.get(user);
    if (sets === undefined) seated.set(user, new Set([conversation]));
    else sets.add(conversation);
    return group.ready;
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

  function hand(user: string, message: LargeMessage, item: LargeItem): void {
    for (const connection of registry.of(user)) {
      if (user === message.sender && connection.session!.device === message.device) continue;
      try {
        connection.session!.deliverLarge(item);
        touched.add(connection);
      } catch (thrown) {
        connection.faulted(thrown, 'push');
      }
    }
  }

  function flush(): void {
    for (const connection of touched) {
      try {
        connection.session!.flush();
      } catch (thrown) {
        connection.faulted(thrown, 'push');
      }
    }
    touched.clear();
  }

  /**
   * A user's seat was read, or only its spans (`since` null): hands over what has waited. Answers whether it has to be
   * read once more.
   */
  function take(
    seats: LargeSeats,
    user: string,
    read: { since: number | null; spans: Seat['spans']; lastSeq: number; version: number },
  ): boolean {
    const waited = seats.place(user, read.since, read.spans, read.lastSeq, read.version);
    if (waited === null) return false;
    for (const message of waited) hand(user, message, new LargeItem(message));
    flush();
    return true;
  }

  async function seat(user: string): Promise<CaughtUp | null> {
    const conversations = await groups.of(user);
    if (!isListening(user)) return null;
    for (const conversation of seated.get(user) ?? [])
      if (!conversations.includes(conversation)) leave(user, conversation);
    if (conversations.length === 0) return null;
    for (const { session } of registry.of(user)) session!.followLarge();
    await Promise.all(conversations.map((conversation) => open(user, conversation)));
    metrics.largeReads.inc();
    const caughtUp = await groups.catchUp(user, conversations);
    // What is handed over below comes after everything that the inbox has by now.
    for (const { session } of registry.of(user)) session!.heard(caughtUp.head);
    let again = false;
    for (const conversation of conversations) {
      const place = caughtUp.places.get(conversation);
      const group = followed.get(conversation);
      // Not large now, or the inbox lags behind: what is still to come there says so, and until then the next renewal.
      if (place === undefined || place.seq < place.group.lastSeq) leave(user, conversation);
      else if (group !== undefined) {
        const { lastSeq, version, spans } = place.group;
        again = !take(group.seats, user, { since: place.seq, spans: spans[0]!, lastSeq, version }) || again;
      }
    }
    if (again) reviews.get(user)!.again = true;
    return caughtUp;
  }

  /**
   * Rejects when Redis does not answer; the user's seats stay as they are, and what comes for those that are being read
   * waits.
   */
  function review(user: string): Promise<CaughtUp | null> {
    const running = reviews.get(user);
    if (running !== undefined) {
      running.again = true;
      return running.promise;
    }
    const one: Review = { promise: Promise.resolve(null), again: false };
    reviews.set(user, one);
    one.promise = (async () => {
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
    })();
    return one.promise;
  }

  /** Reviews a user whose devices are here. What cannot be read now is tried again by `check`. */
  function reviewSoon(user: string): void {
    if (!isListening(user)) return;
    review(user).catch((thrown: unknown) => log.warn({ event: 'large_groups_unread', user, reason: reason(thrown) }));
  }

  async function refresh(seats: LargeSeats, users: string[]): Promise<void> {
    const group = await groups.read(seats.conversation, users);
    if (group === null) return users.forEach(reviewSoon);
    users.forEach((user, i) => {
      if (!take(seats, user, { since: null, spans: group.spans[i]!, lastSeq: group.lastSeq, version: group.version }))
        reviewSoon(user);
    });
  }

  const missed = (users: Iterable<string>): void => {
    for (const user of users) reviewSoon(user);
  };

  /** Some of a group's messages will not come any more: they are announced. */
  function lost(seats: LargeSeats, lastSeq: number): void {
    log.warn({
      event: 'large_publish_lost',
      conversation: seats.conversation,
      fromSeq: seats.newest + 1,
      toSeq: lastSeq,
    });
    metrics.largeLost.inc({ why: 'publish' }, lastSeq - seats.newest);
    missed(seats.lose(lastSeq));
  }

  /**
   * Compares a group with Redis. What is not published yet is not lost, so where the fanout may still be at it there is
   * time until the next check.
   */
  async function checkGroup(seats: LargeSeats): Promise<void> {
    const group = await groups.read(seats.conversation, []);
    if (group === null) return missed([...seats.seats.keys()]);
    if (seats.newest === -1) return missed([...seats.seats.keys()].filter((user) => !reviews.has(user)));
    const { expected } = seats;
    seats.expected = group.lastSeq;
    if (seats.newest < expected) return lost(seats, expected);
    // A seat that still waits could not be read.
    missed(
      [...seats.seats.values()]
        .filter(({ user, waiting }) => waiting !== null && !reviews.has(user))
        .map(({ user }) => user),
    );
    if (group.published && seats.newest < group.lastSeq) {
      setTimeout(
        faults.contained('timer', () => seats.newest < group.lastSeq && lost(seats, group.lastSeq)),
        pushInFlightMs,
      );
    }
  }

  async function checkAll(): Promise<void> {
    await Promise.all(
      [...followed.values()].map(({ seats }) =>
        limit(checkGroup, seats).catch((thrown: unknown) => {
          log.warn({ event: 'large_groups_unread', conversation: seats.conversation, reason: reason(thrown) });
        }),
      ),
    );
  }

  let checking: Promise<void> | null = null;

  return {
    review,
    reviewSoon,

    /** One message of a group that this gateway follows. Sessions are written to by `flush`. */
    pass(message: LargeMessage): void {
      const group = followed.get(message.conversation);
      if (group === undefined) return;
      const { to, missed: late, stale, gone, lost: holes } = group.seats.pass(message);
      if (holes > 0) metrics.largeLost.inc({ why: 'publish' }, holes);
      if (gone !== null) leave(gone, message.conversation);
      const item = new LargeItem(message);
      for (const { user } of to) hand(user, message, item);
      missed(late);
      if (stale.length > 0)
        refresh(group.seats, stale).catch((thrown: unknown) => {
          log.warn({ event: 'large_groups_unread', conversation: message.conversation, reason: reason(thrown) });
        });
    },
    flush,

    get size(): number {
      return followed.size;
    },

    /**
     * A device of this user was too slow for some messages: its places are read again, by `check` if that fails now.
     */
    dropped(user: string): void {
      metrics.largeLost.inc({ why: 'device' });
      for (const conversation of seated.get(user) ?? []) followed.get(conversation)?.seats.lack(user);
      reviewSoon(user);
    },

    /** The last device of a user is gone. */
    remove(user: string): void {
      for (const conversation of [...(seated.get(user) ?? [])]) leave(user, conversation);
    },

    /** Redis says that these are the large groups of a user that is here. */
    compare(user: string, conversations: string[]): void {
      const seats = seated.get(user);
      if (
        (seats?.size ?? 0) === conversations.length &&
        conversations.every((conversation) => seats!.has(conversation))
      )
        return;
      reviewSoon(user);
    },

    /**
     * Finds out what was published and did not arrive; one time at once. Rejects never, but may take as long as nothing
     * can be followed.
     */
    check(): Promise<void> {
      checking ??= checkAll().finally(() => (checking = null));
      return checking;
    },
  };
}

export type LargeIndex = ReturnType<typeof createLargeIndex>;
