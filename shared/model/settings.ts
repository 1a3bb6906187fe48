/**
 * What a user has set for itself. `receipts`: whether others are told how far it has received and read, and it is told
 * of them. `presence`: who may see whether it is online.
 */
export type UserSettings = { receipts: boolean; presence: 'shared' | 'nobody' };

export const defaultSettings: UserSettings = { receipts: true, presence: 'shared' };

export type SettingName = keyof UserSettings;
export const settingNames = Object.keys(defaultSettings) as SettingName[];

/** Settings with the version of the last change. It rises with each one, and over a loss as well. */
export type VersionedSettings = UserSettings & { version: number };

/** Maximum keys of a user's settings. */
export const mostSettings = 4000;

/**
 * Reads settings from their stored values: JSON by key. A key that is missing has its default, and so has a value of a
 * later version that is unknown here.
 */
export function settingsOf(stored: ReadonlyMap<string, string>): UserSettings {
  const receipts = stored.get('receipts');
  return {
    receipts: receipts === undefined ? defaultSettings.receipts : receipts !== 'false',
    presence: stored.get('presence') === '"nobody"' ? 'nobody' : 'shared',
  };
}
