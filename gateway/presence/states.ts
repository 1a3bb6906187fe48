import { retryLater } from '../../shared/model/errors.ts';
import type { RoutesOf } from '../../shared/redis/inboxes/routes.ts';
import type { PresenceNews } from '../../shared/redis/presence-news.ts';
import type { Connection } from '../socket/connection.ts';
import type { Presence, Telling } from './telling.ts';
import type { WatchedUser, WatchedUsers } from './watched-users.ts';

/** How often routes are read again because news came meanwhile. */
const mostReadings = 3;

type Found = { gateways: string[]; lastSeen: number | null };

/**
 * What this gateway knows of the users watched here. It comes from the channels, and from routes that are read. What
 * must hold is in test/model/presence.ts; the design page has the reasons.
 */
export function createStates(watched: WatchedUsers, routesOf: RoutesOf, telling: Pick<Telling, 'changed'>) {
  function become(one: WatchedUser, online: boolean, except?: Connection): void {
    const isNew = one.isKnown && (one.online !== online || (online && one.doubted));
    one.isKnown = true;
    one.online = online;
    one.doubted = false;
    if (isNew) telling.changed(one, except);
  }

  /** Routes were read, and no news came since. */
  function take(one: WatchedUser, { gateways, lastSeen }: Found): void {
    one.gateways = gateways;
    one.lastSeen = lastSeen;
  }

  /** Reads the routes of users. Null for those of whom news came meanwhile. */
  async function read(users: readonly string[]): Promise<(Found | null)[]> {
    const before = users.map((user) => watched.of(user)?.version);
    const found = await routesOf(users);
    return users.map((user, i) => {
      const { gateways, lastSeen } = found[i]!;
      if (gateways === null) throw retryLater('storage is being opened');
      const version = watched.of(user)?.version;
      return version !== undefined && version !== before[i] ? null : { gateways, lastSeen };
    });
  }

  return {
    /**
     * The exact presence of users, to answer `asker`. Other watchers are told at once who turns out to be online; that
     * somebody is offline is told to them only after the wait. Rejects with `retry_later`.
     */
    async exact(users: readonly string[], asker?: Connection): Promise<Map<string, Presence>> {
      const answers = new Map<string, Presence>();
      for (let turn = 1, left = users; left.length > 0; turn++) {
        const found = await read(left);
        left = left.filter((user, i) => {
          const one = watched.of(user);
          const state = found[i]!;
          if (state === null && turn < mostReadings) return true;
          if (state === null) {
            answers.set(user, { online: one!.online, lastSeen: one!.lastSeen });
            return false;
          }
          const online = state.gateways.length > 0;
          answers.set(user, { online, lastSeen: state.lastSeen });
          if (one === undefined) return false;
          if (one.isKnown && one.online && !online) one.doubted = true;
          else {
            take(one, state);
            become(one, online, asker);
          }
          return false;
        });
      }
      return answers;
    },

    /**
     * Reads the routes of watched users again. Who is gone is offline. `isRecent`: somebody seen then was there within
     * the wait. Resolves the users to check again: they were there a moment ago, or news came meanwhile.
     */
    async check(users: readonly string[], isRecent: (lastSeen: number) => boolean): Promise<string[]> {
      const found = await read(users);
      return users.filter((user, i) => {
        const one = watched.of(user);
        const state = found[i]!;
        if (one === undefined) return false;
        if (state === null) return true;
        const online = state.gateways.length > 0;
        if (!online && one.online && state.lastSeen !== null && isRecent(state.lastSeen)) return true;
        take(one, state);
        become(one, online);
        return false;
      });
    },

    heard(news: Extract<PresenceNews, { kind: 'online' | 'offline' }>): void {
      const one = watched.of(news.user);
      if (one === undefined) return;
      one.version += 1;
      if (news.kind === 'online') take(one, { gateways: news.gateways, lastSeen: news.at });
      else take(one, { gateways: [], lastSeen: news.lastSeen });
      become(one, news.kind === 'online');
    },

    /** News may have been lost: what was asked before is not taken for newer. */
    missedNews(): void {
      for (const one of watched.all()) one.version += 1;
    },
  };
}

export type States = ReturnType<typeof createStates>;
