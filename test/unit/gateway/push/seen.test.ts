import { expect, test } from 'vitest';
import { createListed } from '../../../../gateway/push/seen.ts';
import type { Registry } from '../../../../gateway/socket/registry.ts';
import type { SeenHead } from '../../../../shared/recovery/evidence.ts';

test('the head of a list is kept as evidence, unless a session knows it', () => {
  const kept: SeenHead[] = [];
  const sessions = [null, { epoch: 'e2', known: 7 }].map((session) => ({ session }));
  const listed = createListed(
    ((user: string) => (user === 'bob' ? sessions : [])) as unknown as Registry['of'],
    (seen) => void kept.push(seen),
  );
  listed('bob', 'e2', 7);
  listed('bob', 'e2', 8);
  listed('bob', 'e1', 5);
  listed('carol', 'e2', 1);
  expect(kept).toEqual([
    { user: 'bob', epoch: 'e2', head: 8 },
    { user: 'bob', epoch: 'e1', head: 5 },
    { user: 'carol', epoch: 'e2', head: 1 },
  ]);
});
