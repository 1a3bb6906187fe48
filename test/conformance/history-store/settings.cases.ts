import { describe, expect, test } from 'vitest';
import type { SettingRow } from '../../../shared/history/settings-rows.ts';
import { write } from './rows.ts';
import type { StoreAtHand } from './under-test.ts';

const row = (key: string, version: number, value = `"v${version}"`, user = 'bob'): SettingRow => ({
  user,
  key,
  value,
  version,
});

/** What users have set. */
export function settingsCases(subject: StoreAtHand): void {
  describe('settings', () => {
    test('are those of one user, by key, and none of an unknown one', async () => {
      const [one, other] = [row('receipts', 3, 'false'), row('presence', 2, '"nobody"')];
      await subject.store.write(write({ settings: [one, other, row('receipts', 1, 'true', 'carol')] }));
      expect(await subject.open().settings('bob')).toEqual([other, one]);
      expect(await subject.store.settings('carol')).toEqual([row('receipts', 1, 'true', 'carol')]);
      expect(await subject.store.settings('nobody')).toEqual([]);
    });

    test.each([
      ['rising', [1, 2, 3]],
      ['falling', [3, 2, 1]],
      ['mixed', [2, 3, 1]],
    ])('only move forward, in one call and over several: %s', async (_, versions) => {
      await subject.store.write(write({ settings: versions.map((version) => row('receipts', version)) }));
      expect(await subject.store.settings('bob')).toEqual([row('receipts', 3)]);
      for (const version of versions) await subject.store.write(write({ settings: [row('presence', version)] }));
      await subject.store.write(write({ settings: [row('presence', 3, '"another"')] }));
      expect(await subject.store.settings('bob')).toEqual([row('presence', 3), row('receipts', 3)]);
    });

    test('a removed one keeps its version until it is set again', async () => {
      await subject.store.write(write({ settings: [row('block:eve', 5, '1')] }));
      await subject.store.write(write({ settings: [row('block:eve', 7, 'null')] }));
      await subject.store.write(write({ settings: [row('block:eve', 6, '1')] }));
      expect(await subject.store.settings('bob')).toEqual([row('block:eve', 7, 'null')]);
      await subject.store.write(write({ settings: [row('block:eve', 8, '1')] }));
      expect(await subject.store.settings('bob')).toEqual([row('block:eve', 8, '1')]);
    });

    test('of two writers of one row the higher version holds', async () => {
      const other = subject.open();
      const versions = Array.from({ length: 20 }, (_, i) => i + 1);
      await Promise.all(
        versions.map((version) =>
          (version % 2 ? subject.store : other).write(write({ settings: [row('receipts', version)] })),
        ),
      );
      expect(await subject.store.settings('bob')).toEqual([row('receipts', 20)]);
    });
  });
}
