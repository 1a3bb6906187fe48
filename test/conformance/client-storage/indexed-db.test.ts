import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { build } from 'rolldown';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { noBrowser, openBrowser } from '../../support/browser.ts';
import { type PlayedServer, playServer } from '../../support/played-server.ts';
import { storageCases, type StorageCase } from './storage.cases.ts';

/** The storage of browsers in a real one. */

type OnPage = {
  cases: StorageCase[];
  indexedDb(options: { name: string }): Parameters<StorageCase['run']>[0] extends () => infer Storage ? Storage : never;
};
declare const client: OnPage;

const path = (name: string): string => JSON.stringify(fileURLToPath(new URL(name, import.meta.url)));
const entry = `
import { indexedDb } from ${path('../../../sdk/src/storage/indexed-db.ts')};
import { storageCases } from ${path('./storage.cases.ts')};
globalThis.client = { indexedDb, cases: storageCases };
`;

let browser: Browser | null;
let server: PlayedServer;
let script: string;
let page: Page;
beforeAll(async () => {
  browser = await openBrowser();
  server = await playServer('<!doctype html><title>storage</title>');
  const { output } = await build({
    input: 'entry',
    plugins: [
      {
        name: 'entry',
        resolveId: (id) => (id === 'entry' ? id : null),
        load: (id) => (id === 'entry' ? entry : null),
      },
    ],
    output: { format: 'iife' },
    write: false,
    logLevel: 'silent',
  });
  script = output[0].code;
});
afterAll(async () => {
  await browser?.close();
  await server.close();
});
beforeEach(async () => {
  if (browser === null) return;
  page = await (await browser.newContext()).newPage();
  await page.goto(server.httpUrl);
  await page.addScriptTag({ content: script });
});
afterEach(() => (browser === null ? undefined : page.context().close()));

for (const { name } of storageCases) {
  test(`${name}`, async (context) => {
    if (browser === null) return context.skip(noBrowser);
    await page.evaluate(async (wanted) => {
      const { run } = client.cases.find((one) => one.name === wanted)!;
      await run(() => client.indexedDb({ name: 'cases' }));
    }, name);
  });
}

test('goes on with a new handle when the browser closed the old one', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const found = await page.evaluate(async () => {
    const storage = client.indexedDb({ name: 'closed' });
    await storage.write({ meta: { user: 'alice', device: 'd', position: 1, epoch: 'e' } });
    // Another tab deletes the database, as an eviction does: the handle is closed under the storage.
    await new Promise((resolve) => {
      const { indexedDB } = globalThis as unknown as { indexedDB: { deleteDatabase(name: string): EventTarget } };
      indexedDB.deleteDatabase('closed').addEventListener('success', resolve);
    });
    const after = await storage.open();
    await storage.write({ meta: { user: 'alice', device: 'd', position: 2, epoch: 'e' } });
    return [after, await storage.open()];
  });
  expect(found).toEqual([null, { user: 'alice', device: 'd', position: 2, epoch: 'e' }]);
});

test('leaves a database of a newer version alone', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const name = await page.evaluate(async () => {
    const { indexedDB } = globalThis as unknown as {
      indexedDB: { open(name: string, version: number): EventTarget & { result: { close(): void } } };
    };
    const request = indexedDB.open('newer', 99);
    await new Promise((resolve) => request.addEventListener('success', resolve));
    request.result.close();
    return client
      .indexedDb({ name: 'newer' })
      .open()
      .then(
        () => 'opened',
        (error: Error) => error.name,
      );
  });
  expect(name).toBe('StorageUpgraded');
});
