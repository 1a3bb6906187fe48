import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { noBrowser, openBrowser } from '../../tools/harness/browser.ts';
import { clientScript } from '../../tools/harness/client-script.ts';
import { type Kept, loadClient, statusOf, textsOf } from '../support/client-page.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';

/** The client package in a real browser, with its storage there, against a real cluster. */

declare const kept: Kept;

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
  script = await clientScript();
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

const load = (user: string, url = origin): Promise<void> =>
  loadClient(page, { origin, script, token: cluster.token(user), url });
const status = () => statusOf(page);
const texts = (peer: string) => textsOf(page, peer);
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
