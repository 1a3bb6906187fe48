import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { build } from 'rolldown';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { noBrowser, openBrowser } from '../../../tools/harness/browser.ts';
import { type PlayedServer, playServer } from '../../support/played-server.ts';
import { storageCases, type StorageCase } from './storage.cases.ts';

/** The storage of browsers in a real one. */

type OnPage = {
  cases: StorageCase[];
  indexedDb(options: {
    name: string;
    factory?: unknown;
  }): Parameters<StorageCase['run']>[0] extends () => infer Storage ? Storage : never;
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
  expect(found).toEqual([null, { user: 'alice', device: 'd', position: 2, epoch: 'e', term: 0 }]);
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

test('a page of 200 messages is written at once, and 5,000 in slices hold nobody up', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const measured = await page.evaluate(async () => {
    type Observer = new (run: (list: { getEntries(): { duration: number }[] }) => void) => {
      observe(what: { type: string }): void;
      takeRecords(): { duration: number }[];
    };
    const { PerformanceObserver } = globalThis as unknown as { PerformanceObserver: Observer };
    const tasks: number[] = [];
    const observer = new PerformanceObserver((list) =>
      tasks.push(...list.getEntries().map(({ duration }) => duration)),
    );
    observer.observe({ type: 'longtask' });
    const storage = client.indexedDb({ name: 'measured' });
    await storage.open();
    const messages = (from: number) =>
      Array.from({ length: 200 }, (_, at) => ({
        id: `${from + at}-0`,
        conversation: 'c',
        seq: from + at,
        at: 1,
        sender: 'bob',
        clientId: `k${from + at}`,
        kind: 'text',
        body: { text: 'a text of the usual length, as people write it to each other all day long, over and over' },
        class: 'normal' as const,
      }));
    const times: number[] = [];
    for (let from = 1; from <= 5000; from += 200) {
      const since = performance.now();
      await storage.write({ messages: messages(from) });
      times.push(performance.now() - since);
      // Between two frames of the server the page has its turn.
      await new Promise((resolve) => setTimeout(resolve));
    }
    tasks.push(...observer.takeRecords().map(({ duration }) => duration));
    const stored = (await storage.read('c', 1, 5000, 5000)).length;
    return { stored, median: times.toSorted((one, other) => one - other)[12]!, longest: Math.max(0, ...tasks) };
  });
  process.stdout.write(`a page of 200: ${measured.median.toFixed(1)} ms; longest task: ${measured.longest} ms\n`);
  expect(measured.stored).toBe(5000);
  // The figures are 30 and 50 ms; a busy machine gets ten times that.
  expect(measured.median).toBeLessThan(300);
  expect(measured.longest).toBeLessThan(500);
});

test('goes on when the browser never answers, and when a page holds everybody up', async (context) => {
  if (browser === null) return context.skip(noBrowser);
  const outcomes = await page.evaluate(async () => {
    const never = { open: () => new EventTarget() };
    const silent = client.indexedDb({ name: 'silent', factory: never });
    const first = await silent.open().catch(({ name, message }: Error) => `${name}: ${message}`);

    const storage = client.indexedDb({ name: 'held' });
    await storage.open();
    // Another handle keeps a transaction open, as a page that was frozen in the middle of one does.
    type Request = EventTarget & { result: Database };
    type Database = { close(): void; transaction(names: string[], mode: string): Transaction };
    type Transaction = EventTarget & { objectStore(name: string): { get(key: string): Request } };
    const { indexedDB } = globalThis as unknown as { indexedDB: { open(name: string): Request } };
    const request = indexedDB.open('held');
    await new Promise((resolve) => request.addEventListener('success', resolve));
    const held = request.result.transaction(['meta', 'messages'], 'readwrite');
    let holding = true;
    const again = (): void =>
      held
        .objectStore('meta')
        .get('x')
        .addEventListener('success', () => holding && again());
    again();
    const write = () => storage.write({ meta: { user: 'alice', device: 'd', position: 1, epoch: 'e' } });
    const second = await write().catch(({ name, message }: Error) => `${name}: ${message}`);
    holding = false;
    await new Promise((resolve) => held.addEventListener('complete', resolve));
    await write();
    return [first, second, (await storage.open())?.position];
  });
  expect(outcomes).toEqual([
    'TimeoutError: opening took longer than 3000 ms',
    'TimeoutError: a transaction took longer than 5000 ms',
    1,
  ]);
});
