import type { Connection } from '../socket/connection.ts';
import type { MaySee } from './may-see.ts';
import type { States } from './states.ts';
import { hidden, type Presence } from './telling.ts';
import type { Watching } from './watching.ts';

/** Who asks about presence. A service sees everybody. */
export type PresenceAsker = { user: string; service: boolean };

/**
 * Answers questions about presence, exactly as it is at that moment, and begins and ends watches. A user that the asker
 * may not see is answered as one that was never there.
 */
export function createPresence(parts: { maySee: MaySee; states: States; watching: Watching }) {
  const { maySee, states, watching } = parts;

  async function visibleTo({ user, service }: PresenceAsker, users: readonly string[]): Promise<Set<string>> {
    return service ? new Set(users) : maySee.among(user, users, true);
  }

  const answer = (users: readonly string[], found: ReadonlyMap<string, Presence>): [string, Presence][] =>
    users.map((user) => [user, found.get(user) ?? hidden]);

  async function ask(asker: PresenceAsker, given: readonly string[], watcher?: Connection) {
    const users = [...new Set(given)];
    return answer(users, await states.exact([...(await visibleTo(asker, users))], watcher));
  }

  return {
    /** `watcher`: the connection that asks, if it is one. Rejects with `rate_limited` or `retry_later`. */
    ask,

    /** Asks, and tells the connection of changes from then on. If it rejects, nothing more is watched than before. */
    async watch(asker: PresenceAsker, given: readonly string[], watcher: Connection): Promise<[string, Presence][]> {
      const users = [...new Set(given)];
      const before = watching.of(watcher);
      const added = users.filter((user) => !before.has(user));
      watching.begin(watcher, users);
      try {
        const visible = await visibleTo(asker, users);
        // Followed before it is read, or what changes in between would be lost.
        await watching.follow(watcher, users, visible);
        const found = await states.exact([...visible], watcher);
        if (!watcher.isOpen) watching.end(watcher);
        return answer(users, found);
      } catch (thrown) {
        watching.stop(watcher, added);
        throw thrown;
      }
    },

    async unwatch(asker: PresenceAsker, given: readonly string[], watcher: Connection): Promise<[string, Presence][]> {
      watching.stop(watcher, given);
      return ask(asker, given);
    },
  };
}

export type PresenceQuestions = ReturnType<typeof createPresence>;
