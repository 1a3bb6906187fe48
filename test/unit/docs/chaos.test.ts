import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { invariants } from '../../../tools/rehearsal/chaos/checker/check.ts';

const page = readFileSync(fileURLToPath(new URL('../../../docs/operations/chaos.md', import.meta.url)), 'utf8');

test('the page on chaos runs says of every invariant what the checker says', () => {
  const rows = [...page.matchAll(/^\| `(I\d+)` *\| (.+?) *\|$/gm)].map(([, name, text]) => [name, text]);
  expect(Object.fromEntries(rows)).toEqual(invariants);
});
