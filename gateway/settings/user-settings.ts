import { LRUCache } from 'lru-cache';
import {
  type SettingName,
  settingNames,
  type UserSettings,
  type VersionedSettings,
} from '../../shared/model/settings.ts';
import { type Logger, reason } from '../../shared/process/log.ts';
import { settingsFrame } from '../../shared/protocol/frame-text.ts';
import type { Settings } from '../../shared/redis/settings.ts';
import type { Budgets, Spender } from '../limits/budgets.ts';
import type { WriteGuard } from '../limits/write-guard.ts';

/** A hello waits this long for settings (ms), which may have to come from history. */
const helloWaitsMs = 1000;

/** What was looked up counts for this long (ms). */
const lookedUpForMs = 5000;

/** One object for everybody who has never set anything. */
const never: VersionedSettings = Object.freeze({ receipts: true, presence: 'shared', version: 0 });

export type SettingsChange = { [Name in SettingName]?: UserSettings[Name] | undefined };

/**
 * What the users who are connected here have set, and how they change it.
 *
 * Settings are read at hello. A change is told to all gateways of the user by a hint. If that is lost, the next renewal
 * of the lease shows a higher version. Until settings could be read, they are not known: what depends on them rests.
 */
export function createUserSettings(parts: {
  settings: Pick<Settings, 'read' | 'set' | 'copy'>;
  guard: WriteGuard;
  budgets: Pick<Budgets, 'takeShared'>;
  /** Whether settings are served now. */
  isServed(): boolean;
  /** Tells all devices of a user. */
  tell(users: readonly string[], text: string): void;
  /** Tells the devices of a user that are connected here. */
  tellHere(user: string, text: string): void;
  log: Logger;
}) {
  const { settings, guard, budgets, isServed, tell, tellHere, log } = parts;
  /** Null: not read yet. Users who are not connected here are absent. */
  const known = new Map<string, VersionedSettings | null>();
  /** Of users who are not connected here: for a moment. */
  const lookedUp = new LRUCache<string, boolean>({ max: 1000, ttl: lookedUpForMs });
  const reading = new Map<string, Promise<VersionedSettings>>();

  const failed = (user: string, thrown: unknown): void =>
    log.debug({ event: 'settings_failed', user, reason: reason(thrown) });

  /** Single flight. What is read is kept if the user is still connected. */
  function read(user: string): Promise<VersionedSettings> {
    let found = reading.get(user);
    if (found === undefined) {
      found = settings
        .read(user)
        .then((now) => {
          const before = known.get(user);
          if (before !== undefined && (before === null || before.version <= now.version))
            known.set(user, now.version === 0 ? never : now);
          return now;
        })
        .finally(() => reading.delete(user));
      reading.set(user, found);
    }
    return found;
  }

  const copy = (user: string, now: VersionedSettings): Promise<void> =>
    settings.copy(user, now).catch((thrown: unknown) => failed(user, thrown));

  /** Reads again what has changed elsewhere. A read that had begun before that does not count. */
  async function readAgain(user: string, atLeast: number): Promise<void> {
    const now = await read(user);
    if (now.version < atLeast) await read(user);
  }

  return {
    /**
     * Reads the settings of a user who is connected now. `copied`: the version that the user's shard knows. Resolves
     * null if they are not served, or cannot be read soon.
     */
    async open(user: string, copied: number): Promise<VersionedSettings | null> {
      if (!known.has(user)) known.set(user, null);
      if (!isServed()) return null;
      try {
        const late = Promise.withResolvers<null>();
        const timer = setTimeout(() => late.resolve(null), helloWaitsMs);
        const now = await Promise.race([read(user), late.promise]).finally(() => clearTimeout(timer));
        const copying = now !== null && copied < now.version ? copy(user, now) : null;
        // The user is hidden until its shard knows what it has set.
        if (copied < 0) await copying;
        return now;
      } catch (thrown) {
        failed(user, thrown);
        return null;
      }
    },

    /** The last device of the user here is gone. */
    close: (user: string): void => void known.delete(user),

    /** Null while they are not known. */
    of: (user: string): VersionedSettings | null => known.get(user) ?? null,

    /**
     * Whether others are told how far a user has received and read, and it is told of them. Not while its settings are
     * not known. Of a user who is not connected here they are looked up.
     */
    takesPart(user: string): boolean | Promise<boolean> {
      const here = known.get(user);
      if (here !== undefined) return here?.receipts === true;
      const found = lookedUp.get(user);
      if (found !== undefined) return found;
      return settings.read(user).then(
        ({ receipts }) => {
          lookedUp.set(user, receipts);
          return receipts;
        },
        () => false,
      );
    },

    /** The devices here were told of a change. */
    heard(user: string, version: number): void {
      const before = known.get(user);
      if (before !== undefined && (before === null || before.version < version))
        readAgain(user, version).catch((thrown: unknown) => failed(user, thrown));
    },

    /** The user's shard knows this version: if it is higher than here, a hint was lost. */
    compare(user: string, version: number): void {
      const before = known.get(user);
      if (before === undefined || !isServed()) return;
      if (before !== null && version < 0) void copy(user, before);
      if (before !== null && before.version >= version) return;
      read(user)
        .then((now) => {
          if (version < 0) void copy(user, now);
          if (before === null || now.version <= before.version) return;
          const changed = settingNames.filter((name) => now[name] !== before[name]);
          tellHere(user, settingsFrame(now.version, Object.fromEntries(changed.map((name) => [name, now[name]]))));
        })
        .catch((thrown: unknown) => failed(user, thrown));
    },

    /** Rejects with `retry_later` if they cannot be read now. */
    read: (user: string): Promise<VersionedSettings> => settings.read(user),

    /** Changes what is given and differs; resolves the settings afterwards. */
    change: guard(async (by: Spender, user: string, asked: SettingsChange): Promise<VersionedSettings> => {
      await budgets.takeShared('setting', by);
      const before = await settings.read(user);
      const names = settingNames.filter((name) => asked[name] !== undefined && asked[name] !== before[name]);
      if (names.length === 0) return before;
      const changes = new Map(names.map((name) => [name, JSON.stringify(asked[name])]));
      const { version, changed } = await settings.set(user, changes);
      const now = await settings.read(user);
      await copy(user, now);
      if (changed) tell([user], settingsFrame(version, Object.fromEntries(names.map((name) => [name, asked[name]]))));
      return now;
    }),
  };
}

export type OwnSettings = ReturnType<typeof createUserSettings>;
