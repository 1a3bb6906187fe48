import { Refusal } from '../../shared/model/errors.ts';
import { mostPresenceUsers } from '../../shared/model/limits.ts';
import { storageFailure } from '../../shared/redis/failures.ts';
import type { Connection } from '../socket/connection.ts';
import type { WatchedUsers } from './watched-users.ts';

/**
 * Which users each connection watches. A user that it may not see counts as well, or the bound would tell who may be
 * seen; it is told of that user as soon as it may.
 */
export function createWatching(watched: Pick<WatchedUsers, 'add' | 'remove' | 'of'>) {
  const watches = new Map<Connection, Set<string>>();
  const nobody: ReadonlySet<string> = new Set();

  function end(watcher: Connection): void {
    for (const user of watches.get(watcher) ?? nobody) watched.remove(user, watcher);
    watches.delete(watcher);
  }

  return {
    of: (watcher: Connection): ReadonlySet<string> => watches.get(watcher) ?? nobody,

    /** Throws `rate_limited` if the connection would watch too many. */
    begin(watcher: Connection, users: readonly string[]): void {
      // The text of an id that others watch too is held once.
      const all = new Set([
        ...(watches.get(watcher) ?? nobody),
        ...users.map((user) => watched.of(user)?.user ?? user),
      ]);
      if (all.size > mostPresenceUsers)
        throw new Refusal('rate_limited', `a connection watches at most ${mostPresenceUsers} users`);
      watches.set(watcher, all);
    },

    /**
     * Resolves once all news of these users come; the watcher is told of those in `visible`. Rejects with
     * `retry_later`; then none of them is watched.
     */
    async follow(watcher: Connection, users: Iterable<string>, visible: ReadonlySet<string>): Promise<void> {
      const own = watches.get(watcher);
      const all = [...users].filter((user) => own?.has(user) === true);
      try {
        await Promise.all(all.map((user) => watched.add(user, watcher, visible.has(user))));
      } catch (thrown) {
        for (const user of all) watched.remove(user, watcher);
        throw storageFailure(thrown);
      }
    },

    stop(watcher: Connection, users: readonly string[]): void {
      const own = watches.get(watcher);
      if (own === undefined) return;
      for (const user of users) {
        own.delete(user);
        watched.remove(user, watcher);
      }
      if (own.size === 0) watches.delete(watcher);
    },

    end,

    watchers: (): Iterable<Connection> => watches.keys(),

    get size(): number {
      return watches.size;
    },
  };
}

export type Watching = ReturnType<typeof createWatching>;
