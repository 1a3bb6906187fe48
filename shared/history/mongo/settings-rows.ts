import type { SettingRow, SettingsRows } from '../settings-rows.ts';
import type { Calls } from './calls.ts';

export const createSettingsRows = ({ readBehindBarrier }: Calls): SettingsRows => ({
  settings: (user) =>
    readBehindBarrier(({ settings }, using) =>
      settings.find<SettingRow>({ user }, { projection: { _id: 0 }, sort: { key: 1 }, ...using() }).toArray(),
    ),
});
