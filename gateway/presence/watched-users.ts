import type { PresenceChannels } from '../../shared/redis/push-bus.ts';
import type { Connection } from '../socket/connection.ts';

const none: readonly string[] = [];

/** A user that somebody watches here, as this gateway knows it. */
export class WatchedUser {
  readonly user: string;
  /** Whoever may see the user and is told of it. */
  readonly watchers = new Set<Connection>();
  /** Whoever watches the user and may not see it now. */
  blind: Set<Connection> | null = null;
  /** False until the routes were read, or news came. */
  isKnown = false;
  online = false;
  /** Milliseconds since 1970. */
  lastSeen: number | null = null;
  /** The live gateways that hold the user. It may have left some of them since. */
  gateways = none;
  /** Rises with all news, so that an answer asked for before them is not taken for newer. */
  version = 0;
  /** Somebody was answered "offline", while watchers were not told so yet. */
  doubted = false;

  constructor(user: string) {
    this.user = user;
  }
}

type Shard = { users: Map<string, WatchedUser>; ready: Promise<void> };

/**
 * The users that are watched here, by shard. The channel of a shard is followed from its first watched user to the
 * last. Nothing in Redis knows who watches, so a watch costs memory here and nothing else.
 */
export function createWatchedUsers(
  channels: PresenceChannels,
  shardOf: (user: string) => number,
  unfollowFailed: (thrown: unknown) => void,
) {
  const shards = new Map<number, Shard>();
  let watches = 0;

  function follow(number: number): Shard {
    const shard = { users: new Map<string, WatchedUser>(), ready: channels.follow(number) };
    shards.set(number, shard);
    return shard;
  }

  return {
    /**
     * Adds a watcher that may see the user now (`sees`) or not, or changes that. Resolves once all news of the user
     * come; rejects if the channel cannot be followed.
     */
    add(user: string, watcher: Connection, sees: boolean): Promise<void> {
      const number = shardOf(user);
      const shard = shards.get(number) ?? follow(number);
      let found = shard.users.get(user);
      if (found === undefined) shard.users.set(user, (found = new WatchedUser(user)));
      if (!found.watchers.delete(watcher) && found.blind?.delete(watcher) !== true) watches += 1;
      if (sees) found.watchers.add(watcher);
      else (found.blind ??= new Set()).add(watcher);
      return shard.ready;
    },

    remove(user: string, watcher: Connection): void {
      const number = shardOf(user);
      const shard = shards.get(number);
      const found = shard?.users.get(user);
      if (shard === undefined || found === undefined) return;
      if (!found.watchers.delete(watcher) && found.blind?.delete(watcher) !== true) return;
      watches -= 1;
      if (found.watchers.size > 0 || (found.blind !== null && found.blind.size > 0)) return;
      shard.users.delete(user);
      if (shard.users.size > 0) return;
      shards.delete(number);
      channels.unfollow(number).catch(unfollowFailed);
    },

    of: (user: string): WatchedUser | undefined => shards.get(shardOf(user))?.users.get(user),

    inShard: (shard: number): Iterable<WatchedUser> => shards.get(shard)?.users.values() ?? [],

    /** The shards with watched users. */
    shards: (): Iterable<number> => shards.keys(),

    watches: (shard: number): boolean => shards.has(shard),

    *all(): Generator<WatchedUser> {
      for (const { users } of shards.values()) yield* users.values();
    },

    /** How many pairs of a watcher and a user there are. */
    get size(): number {
      return watches;
    },

    get users(): number {
      return shards.values().reduce((sum, { users }) => sum + users.size, 0);
    },
  };
}

export type WatchedUsers = ReturnType<typeof createWatchedUsers>;
