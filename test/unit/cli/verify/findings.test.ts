import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { kinds } from '../../../../cli/verify/findings.ts';

test('every kind of finding has a row in the page about audits, and nothing else has', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/operations/audit.md'), 'utf8');
  const rows = [...page.matchAll(/^\| `(\w+)`/gm)].map(([, kind]) => kind);
  expect(rows.toSorted()).toEqual(Object.keys(kinds).toSorted());
});
