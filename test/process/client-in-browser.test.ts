import { fileURLToPath } from 'node:url';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { build } from 'rolldown';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { noBrowser, openBrowser } from '../support/browser.ts';
import type { createClient, IndexedDb } from '../support/client-types.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';

/** The client package in a real browser, with its storage there, against a real cluster. */

type OnPage = { createClient: typeof createClient; indexedDb: IndexedDb };
declare const restante: OnPage;
/** What a page of these tests keeps between two evaluations. */
declare const kept: { client: ReturnType<typeof createClient>; states: string[]; welcomes: number };

const path = (name: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../sdk/src/entries/${name}`, import.meta.url)));
const entry = `
export { createClient } from ${path('client.ts')};
export { indexedDb } from ${path('indexeddb.ts')};
`;

let browser: Browser | null;
let cluster: Cluster;
let script: string;
let context: BrowserContext;
let page: Page;
let origin: string;

beforeAll(async () => {
  browser = await openBrowser();
  if (browser === null) return;
  cluster = await startCluster();
  origin = cluster
    .url()
    .replace(/^ws/, 'http')
    .replace(/\/v1\/ws$/, '');
  const plugin = {
    name: 'entry',
    resolveId: (id: string) => (id === 'entry' ? id : null),
    load: (id: string) => (id === 'entry' ? entry : null),
  };
  const { output } = await build({
    input: 'entry',
    plugins: [plugin],
    output: { format: 'iife', name: 'restante' },
    write: false,
    logLevel: 'silent',
  });
  script = output[0].code;
});
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});
beforeEach(async () => {
  if (browser === null) return;
  context = await browser.newContext({ bypassCSP: true });
  page = await context.newPage();
});
afterEach(() => (browser === null ? undefined : context.close()));

/** Loads the page anew, with a client on the storage of this browser. */
async function load(user: string, url = origin): Promise<void> {
  await page.goto(`${origin}/v1/docs`);
  await page.addScriptTag({ content: script });
  await page.evaluate(
    ([token, where]) => {
      const client = restante.createClient({ url: where!, getToken: () => token!, storage: restante.indexedDb() });
      const states: string[] = [];
      const all = { client, states, welcomes: 0 };
      client.on('state', ({ state }) => void (states.at(-1) === state || states.push(state)));
      client.on('welcome', () => all.welcomes++);
      Object.assign(globalThis, { kept: all });
      client.connect().catch(() => {});
    },
    [cluster.token(user), url],
  );
}

const status = () => page.evaluate(() => kept.client.status.get());
const texts = (peer: string) =>
  page.evaluate(
    (name) =>
      kept.client
        .direct(name)
        .messages.get()
        .items.map((item) => ('hole' in item ? item.hole : [item.body, item.status])),
    peer,
  );
const within = { timeout: 20_000 };

test('messages that were written without a network go out after a reload, once and in order', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  await load(alice);
  await vi.waitFor(async () => expect(await status()).toMatchObject({ synced: true, storage: 'persistent' }), within);
  await load(alice, 'ws://127.0.0.1:9');
  await page.evaluate(async (name) => {
    await kept.client.connect();
    const handles = Array.from({ length: 20 }, (_, index) => kept.client.direct(name).send(index + 1));
    await Promise.all(handles.map(({ stored }) => stored));
  }, bob);
  const queued = Array.from({ length: 20 }, (_, index) => [index + 1, 'queued']);
  expect(await texts(bob)).toEqual(queued);

  await load(alice);
  await vi.waitFor(async () => expect(await status()).toMatchObject({ waiting: 0, synced: true }), within);
  const accepted = queued.map(([body]) => [body, 'accepted']);
  await vi.waitFor(async () => expect(await texts(bob)).toEqual(accepted), within);
  const { body } = await cluster.http(
    cluster.token(bob),
    'GET',
    `/conversations/${await page.evaluate((name) => kept.client.direct(name).id, bob)}/messages?after=0&limit=100`,
  );
  expect((body as { messages: { body: unknown }[] }).messages.map((one) => one.body)).toEqual(
    queued.map(([one]) => one),
  );
});

test('a storage that was evicted is noticed, and the same device gets what the server keeps', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  await load(alice);
  await vi.waitFor(async () => expect(await status()).toMatchObject({ synced: true }), within);
  for (const clientId of ['1', '2', '3']) {
    await cluster.http(cluster.token(bob), 'POST', '/messages', {
      clientId,
      to: alice,
      kind: 'text',
      body: clientId,
    });
  }
  const all = ['1', '2', '3'].map((body) => [body, 'accepted']);
  await vi.waitFor(async () => expect(await texts(bob)).toEqual(all), within);
  const device = await page.evaluate(() => kept.client.device);
  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const { indexedDB } = globalThis as unknown as { indexedDB: { deleteDatabase(name: string): EventTarget } };
        indexedDB.deleteDatabase('restante').addEventListener('success', resolve);
      }),
  );
  await load(alice);
  await vi.waitFor(async () => expect(await status()).toMatchObject({ synced: true, storage: 'lost' }), within);
  expect(await page.evaluate(() => kept.client.device)).toBe(device);
  await vi.waitFor(async () => expect(await texts(bob)).toEqual(all), within);
  const { body } = await cluster.http(cluster.token(alice), 'GET', '/devices');
  expect((body as { devices: unknown[] }).devices).toHaveLength(1);
});

test('a page that was offline goes on with its kept socket, without a new hello', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const alice = cluster.user('alice');
  await load(alice);
  await vi.waitFor(async () => expect(await status()).toMatchObject({ synced: true }), within);
  await context.setOffline(true);
  await vi.waitFor(async () => expect(await status()).toMatchObject({ state: 'waiting', reason: 'offline' }), within);
  await context.setOffline(false);
  await vi.waitFor(async () => expect(await status()).toMatchObject({ state: 'connected' }), within);
  expect(await page.evaluate(() => [kept.welcomes, kept.states.slice(-3)])).toEqual([
    1,
    ['connected', 'waiting', 'connected'],
  ]);
});
