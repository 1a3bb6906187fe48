import type { SettingRow, SettingsRows } from '../settings-rows.ts';
import type { Statements } from './database.ts';

export const createSettingsRows = ({ read, rows }: Statements): SettingsRows => ({
  settings: async (user) => rows<SettingRow>(read.settings, { user }),
});
