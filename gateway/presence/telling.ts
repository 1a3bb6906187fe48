import type { Metrics } from '../../shared/process/metrics.ts';
import { presenceFrame } from '../../shared/protocol/frame-text.ts';
import type { Connection } from '../socket/connection.ts';
import type { WatchedUser, WatchedUsers } from './watched-users.ts';

export type Presence = { online: boolean; lastSeen: number | null };

export const hidden: Presence = { online: false, lastSeen: null };

/**
 * Writes what changed to watchers. A frame that a slow reader lost is made good: it is told of all that it watches as
 * soon as it reads on.
 */
export function createTelling(watched: Pick<WatchedUsers, 'of'>, metrics: Pick<Metrics, 'hints'>) {
  /** Watchers that lost a frame. */
  const behind = new Set<Connection>();

  /** False if the frame was dropped. */
  function write(watcher: Connection, text: string): boolean {
    try {
      const result = watcher.session!.hint(text);
      if (result !== null) metrics.hints.inc({ type: 'presence', result });
      return result !== 'dropped';
    } catch (thrown) {
      watcher.faulted(thrown, 'push');
      return true;
    }
  }

  return {
    /** Tells all watchers of a user, but not `except`, how the user is now. */
    changed({ user, online, lastSeen, watchers }: WatchedUser, except?: Connection): void {
      const text = presenceFrame(undefined, [[user, { online, lastSeen }]]);
      for (const watcher of watchers) if (watcher !== except && !write(watcher, text)) behind.add(watcher);
    },

    one(watcher: Connection, user: string, presence: Presence): void {
      if (!write(watcher, presenceFrame(undefined, [[user, presence]]))) behind.add(watcher);
    },

    /** Tells those that lost a frame of everything they watch. `watchesOf`: the users of a watcher. */
    catchUp(watchesOf: (watcher: Connection) => Iterable<string>): void {
      for (const watcher of behind) {
        const all = [...watchesOf(watcher)].map((user): [string, Presence] => {
          const found = watched.of(user);
          return [user, found?.watchers.has(watcher) === true ? found : hidden];
        });
        if (all.length === 0 || write(watcher, presenceFrame(undefined, all))) behind.delete(watcher);
      }
    },

    forget: (watcher: Connection): void => void behind.delete(watcher),
  };
}

export type Telling = ReturnType<typeof createTelling>;
