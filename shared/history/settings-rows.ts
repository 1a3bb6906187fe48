/**
 * One thing that a user has set. `value` is JSON, `null` once it was removed: such a row stays, so that its version is
 * known. Unique on (user, key); it only moves forward.
 */
export type SettingRow = { user: string; key: string; value: string; version: number };

export type SettingsRows = {
  /** Everything that a user has set, in rising order of key. */
  settings(user: string): Promise<SettingRow[]>;
};
