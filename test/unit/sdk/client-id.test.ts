import { expect, test } from 'vitest';
import { newClientId } from '../../../sdk/src/client-id.ts';

test('clientIds are UUIDv7: valid, different, rising with time', () => {
  const ids = [newClientId(1_700_000_000_000), newClientId(1_700_000_000_001), newClientId(1_700_000_000_001)];
  for (const id of ids) expect(id).toMatch(/^018bcfe5-680[01]-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(new Set(ids).size).toBe(3);
  expect(ids[0]! < ids[1]!).toBe(true);
});
