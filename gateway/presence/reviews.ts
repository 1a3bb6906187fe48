import type { Faults } from '../../shared/process/faults.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import type { Connection } from '../socket/connection.ts';
import type { Checks } from './checks.ts';
import type { MaySee } from './may-see.ts';
import type { States } from './states.ts';
import { hidden, type Telling } from './telling.ts';
import type { WatchedUsers } from './watched-users.ts';
import type { Watching } from './watching.ts';

const turnMs = 1000;
/** Each connection's watches are looked at again within this time (ms): may it still see the user, may it now? */
const roundMs = 300_000;

/**
 * Asks again who may see whom: a round over all connections that watch, in turns of a second, and at once when somebody
 * changes who may see it. Who may not see a user any more hears once that it is offline.
 */
export function createReviews(parts: {
  watched: WatchedUsers;
  watching: Watching;
  maySee: MaySee;
  states: States;
  checks: Pick<Checks, 'soon'>;
  telling: Telling;
  log: Logger;
  faults: Faults;
}) {
  const { watched, watching, maySee, states, checks, telling, log, faults } = parts;
  let round: Iterator<Connection> = watching.watchers()[Symbol.iterator]();
  /** Reviews that are due in this turn, and the part of one that is left for the next. */
  let credit = 0;

  async function review(watcher: Connection, users: readonly string[]): Promise<void> {
    const { session, service } = watcher;
    if (session === null || users.length === 0) return;
    const visible = service ? new Set(users) : await maySee.among(session.user, users, false);
    const sees = (user: string): boolean => watched.of(user)?.watchers.has(watcher) === true;
    for (const user of users) {
      if (visible.has(user) || !sees(user)) continue;
      const { online } = watched.of(user)!;
      await watching.follow(watcher, [user], visible);
      if (online) telling.one(watcher, user, hidden);
    }
    const added = [...visible].filter((user) => !sees(user));
    await watching.follow(watcher, added, visible);
    const found = added.length === 0 ? null : await states.exact(added, watcher);
    for (const [user, state] of found ?? []) if (state.online && sees(user)) telling.one(watcher, user, state);
    // What is known of those that stay is compared with their routes too.
    for (const user of visible) {
      const one = watched.of(user);
      if (one !== undefined && !added.includes(user)) checks.soon(one);
    }
  }

  const reviewed = (watcher: Connection, users: readonly string[]): Promise<void> =>
    review(watcher, users).catch((thrown: unknown) =>
      log.debug({ event: 'presence_review_failed', users: users.length, reason: reason(thrown) }),
    );

  async function turn(): Promise<void> {
    telling.catchUp(watching.of);
    for (credit += (watching.size * turnMs) / roundMs; credit >= 1; credit -= 1) {
      let next = round.next();
      if (next.done === true) {
        round = watching.watchers()[Symbol.iterator]();
        next = round.next();
      }
      if (next.done === true) break;
      await reviewed(next.value, [...watching.of(next.value)]);
    }
  }

  let running = false;
  const timer = setInterval(
    faults.contained('timer', async () => {
      if (running) return;
      running = true;
      await turn().finally(() => (running = false));
    }),
    turnMs,
  );

  return {
    /** Who may see this user has changed. */
    ofUser(user: string): void {
      const one = watched.of(user);
      if (one === undefined) return;
      for (const watcher of [...one.watchers, ...(one.blind ?? [])]) void reviewed(watcher, [user]);
    },

    /** Whom this connection may see has changed. */
    ofWatcher: (watcher: Connection): void => void reviewed(watcher, [...watching.of(watcher)]),

    stop: (): void => clearInterval(timer),
  };
}

export type Reviews = ReturnType<typeof createReviews>;
