import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'rolldown';
import { expect, test } from 'vitest';

/** What an application loads with each entry of the package, minified and compressed. */

const source = (path: string): string => fileURLToPath(new URL(`../../../sdk/src/${path}`, import.meta.url));

async function bytesOf(entry: string): Promise<number> {
  const { output } = await build({
    input: source(entry),
    platform: 'browser',
    output: { minify: true },
    write: false,
    logLevel: 'silent',
  });
  expect(output).toHaveLength(1);
  return gzipSync(output[0].code, { level: 9 }).byteLength;
}

test.each([
  ['entries/client.ts', 18_000],
  ['entries/link.ts', 6500],
  ['entries/indexeddb.ts', 2600],
])('%s has at most %i bytes', async (entry, most) => {
  const bytes = await bytesOf(entry);
  expect(bytes).toBeLessThanOrEqual(most);
  expect(bytes).toBeGreaterThan(1000);
});
