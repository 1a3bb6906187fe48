import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'rolldown';
import { expect, test } from 'vitest';

/** What an application loads with each entry of the package, minified and compressed. */

const source = (path: string): string => fileURLToPath(new URL(`../../../sdk/src/${path}`, import.meta.url));

const all = (entry: string): string => `export * from ${JSON.stringify(source(entry))};`;
const only = (names: string, entry: string): string => `export { ${names} } from ${JSON.stringify(source(entry))};`;

async function bytesOf(...exports: string[]): Promise<number> {
  const plugin = {
    name: 'entry',
    resolveId: (id: string) => (id === 'entry' ? id : null),
    load: (id: string) => (id === 'entry' ? exports.join('\n') : null),
  };
  const { output } = await build({
    input: 'entry',
    plugins: [plugin],
    platform: 'browser',
    output: { minify: true },
    write: false,
    logLevel: 'silent',
  });
  expect(output).toHaveLength(1);
  return gzipSync(output[0].code, { level: 9 }).byteLength;
}

test.each([
  ['client', all('entries/client.ts'), 28_500],
  ['core without parts', only('createCoreClient', 'entries/core.ts'), 22_450],
  ['core for talks of two', only('createCoreClient, direct, views', 'entries/core.ts'), 24_450],
  ['link', all('entries/link.ts'), 6500],
  ['indexeddb', all('entries/indexeddb.ts'), 2600],
])('%s has at most so many bytes', { timeout: 60_000 }, async (_, entry, most) => {
  const bytes = await bytesOf(entry);
  expect(bytes).toBeLessThanOrEqual(most);
  expect(bytes).toBeGreaterThan(1000);
});

test.each([
  ['entries/tabs.ts', 3010],
  ['entries/prefetch.ts', 1500],
])('%s adds at most %i bytes to a client', { timeout: 60_000 }, async (entry, most) => {
  const bytes = (await bytesOf(all('entries/client.ts'), all(entry))) - (await bytesOf(all('entries/client.ts')));
  expect(bytes).toBeLessThanOrEqual(most);
  expect(bytes).toBeGreaterThan(500);
});

test('core with all parts is no larger than the client', { timeout: 60_000 }, async () => {
  const [core, client] = [await bytesOf(all('entries/core.ts')), await bytesOf(all('entries/client.ts'))];
  expect(core).toBeLessThan(client + 1000);
});
