import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const most = 120;
const notOurs = new Set(['node_modules', '.git', 'data', 'dist']);

test(`no line of code or comment is longer than ${most} characters`, async () => {
  const long: string[] = [];
  let files = 0;
  for await (const file of glob('**/*.{ts,lua,mjs,js}', { cwd: root, exclude: (name) => notOurs.has(name) })) {
    files += 1;
    for (const [index, line] of (await readFile(join(root, file), 'utf8')).split('\n').entries())
      if (line.length > most) long.push(`${file}:${index + 1}`);
  }
  expect(files).toBeGreaterThan(500);
  expect(long).toEqual([]);
});
