import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { noBrowser, openBrowser, openProfile } from '../../tools/harness/browser.ts';
import { clientScript } from '../../tools/harness/client-script.ts';
import { startProxy } from '../../tools/rehearsal/chaos/proxy.ts';
import { type Kept, loadClient, statusOf, textsOf } from '../support/client-page.ts';
import { type Cluster, startCluster } from '../support/cluster.ts';

/** What happens to the storage of a real browser: reloads, a killed browser, an eviction, a full disk. */

declare const kept: Kept;

let browser: Browser | null;
let cluster: Cluster;
let script: string;
let origin: string;
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  browser = await openBrowser();
  if (browser === null) return;
  cluster = await startCluster({ env: { RATE_LIMITS: 'off' } });
  origin = new URL(cluster.url().replace(/^ws/, 'http')).origin;
  script = await clientScript();
});
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});
afterEach(async () => {
  await Promise.all(contexts.splice(0).map((context) => context.close().catch(() => {})));
});

const within = { timeout: 60_000 };

async function openPage(): Promise<Page> {
  const context = await browser!.newContext({ bypassCSP: true });
  contexts.push(context);
  return context.newPage();
}

const synced = (page: Page) =>
  vi.waitFor(async () => expect(await statusOf(page)).toMatchObject({ synced: true }), within);

/** The history of the conversation with a user, as the server has it. */
async function historyOf(page: Page, user: string, peer: string) {
  const id = await page.evaluate((name) => kept.client.direct(name).id, peer);
  const { body } = await cluster.http(cluster.token(user), 'GET', `/conversations/${id}/messages?after=0&limit=100`);
  return (body as { messages: { body: unknown; clientId: string }[] }).messages;
}

const sendBy = (sender: string, to: string, body: unknown, clientId: string) =>
  cluster.http(cluster.token(sender), 'POST', '/messages', { clientId, to, kind: 'text', body });

test('200 messages in 5 conversations over 10 reloads and 10 cuts are accepted once and in order', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const alice = cluster.user('alice');
  const peers = ['1', '2', '3', '4', '5'].map((name) => cluster.user(`peer-${name}`));
  const proxy = await startProxy(Number(new URL(origin).port));
  const page = await openPage();
  const loading = { origin: `http://127.0.0.1:${proxy.port}`, script, token: cluster.token(alice) };
  /** Bodies whose `stored` has resolved, by their user. */
  const stored = new Map<string, Set<number>>(peers.map((peer) => [peer, new Set()]));
  await page.exposeFunction('wasStored', (peer: string, body: number) => stored.get(peer)!.add(body));
  const say = (from: number, to: number): Promise<void> =>
    page.evaluate(
      ([names, first, last]) => {
        const { wasStored } = globalThis as unknown as { wasStored(peer: string, body: number): void };
        for (let body = first; body <= last; body++)
          for (const peer of names)
            void kept.client
              .direct(peer)
              .send(body)
              .stored.then(() => wasStored(peer, body));
      },
      [peers, from, to] as const,
    );
  try {
    await loadClient(page, loading);
    await synced(page);
    for (let round = 0; round < 10; round++) {
      await say(4 * round + 1, 4 * round + 2);
      proxy.blackhole();
      await say(4 * round + 3, 4 * round + 4);
      // The page goes while some of them are on their way into its storage or onto the wire.
      await vi.waitFor(() => expect(stored.get(peers[round % 5]!)!.size).toBeGreaterThan(3 * round), within);
      proxy.pass();
      await loadClient(page, loading);
      await page.evaluate(() => kept.client.connect());
    }
    await vi.waitFor(
      async () => expect(await statusOf(page)).toMatchObject({ waiting: 0, synced: true, state: 'connected' }),
      { timeout: 120_000 },
    );
    for (const peer of peers) {
      const bodies = (await historyOf(page, alice, peer)).map(({ body }) => body as number);
      // Rising: in the order of `send`, each once.
      expect(bodies).toEqual([...new Set(bodies)].toSorted((one, other) => one - other));
      expect(bodies).toEqual(expect.arrayContaining([...stored.get(peer)!]));
      const shown = bodies.map((body) => [body, 'accepted']);
      await vi.waitFor(async () => expect(await textsOf(page, peer)).toEqual(shown), within);
    }
    expect([...stored.values()].reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(150);
  } finally {
    await proxy.close();
  }
}, 400_000);

/** The browser process of a profile; those that it started end with it. */
async function processOf(profile: string): Promise<number> {
  for (const pid of await readdir('/proc')) {
    const line = /^\d+$/.test(pid) ? await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '') : '';
    if (line.includes(profile) && !line.includes('--type=')) return Number(pid);
  }
  throw new Error(`no process has the profile ${profile}`);
}

test('50 messages that waited in a browser that was killed go out with their ids', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const profile = await mkdtemp(join(tmpdir(), 'restante-profile-'));
  const loading = { origin, script, token: cluster.token(alice) };
  const nowhere = 'ws://127.0.0.1:9';
  const open = async (url?: string): Promise<Page> => {
    const context = await openProfile(profile);
    contexts.push(context);
    const page = await context.newPage();
    await loadClient(page, { ...loading, ...(url === undefined ? {} : { url }) });
    return page;
  };
  try {
    let page = await open();
    await synced(page);
    await loadClient(page, { ...loading, url: nowhere });
    const ids = await page.evaluate(async (name) => {
      await kept.client.connect();
      const handles = Array.from({ length: 50 }, (_, index) => kept.client.direct(name).send(index + 1));
      await Promise.all(handles.map((handle) => handle.stored));
      return handles.map(({ clientId }) => clientId);
    }, bob);
    const closed = new Promise((resolve) => page.context().once('close', resolve));
    process.kill(await processOf(profile), 'SIGKILL');
    await closed;

    page = await open(nowhere);
    await page.evaluate(() => kept.client.connect());
    const bodies = Array.from({ length: 50 }, (_, index) => index + 1);
    await vi.waitFor(
      async () => expect(await textsOf(page, bob)).toEqual(bodies.map((body) => [body, 'queued'])),
      within,
    );
    await loadClient(page, loading);
    await vi.waitFor(async () => expect(await statusOf(page)).toMatchObject({ waiting: 0, synced: true }), within);
    await vi.waitFor(
      async () => expect(await textsOf(page, bob)).toEqual(bodies.map((body) => [body, 'accepted'])),
      within,
    );
    const history = await historyOf(page, alice, bob);
    expect(history.map(({ body, clientId }) => [body, clientId])).toEqual(
      bodies.map((body, index) => [body, ids[index]]),
    );
  } finally {
    await Promise.all(contexts.splice(0).map((context) => context.close().catch(() => {})));
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}, 200_000);

test('a storage that is taken away under an open page is noticed, and everything comes back', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const page = await openPage();
  const loading = { origin, script, token: cluster.token(alice) };
  await loadClient(page, loading);
  await synced(page);
  for (const body of [1, 2, 3]) await sendBy(bob, alice, body, `k${body}`);
  const shown = (last: number) => Array.from({ length: last }, (_, index) => [index + 1, 'accepted']);
  await vi.waitFor(async () => expect(await textsOf(page, bob)).toEqual(shown(3)), within);
  const device = await page.evaluate(() => kept.client.device);
  const browserSession = await page.context().newCDPSession(page);
  await browserSession.send('Storage.clearDataForOrigin', { origin, storageTypes: 'indexeddb' });
  await sendBy(bob, alice, 4, 'k4');
  await vi.waitFor(async () => expect(await statusOf(page)).toMatchObject({ storage: 'lost', synced: true }), within);
  await vi.waitFor(async () => expect(await textsOf(page, bob)).toEqual(shown(4)), within);

  await loadClient(page, loading);
  await synced(page);
  await vi.waitFor(async () => expect(await textsOf(page, bob)).toEqual(shown(4)), within);
  expect(await page.evaluate((name) => kept.client.direct(name).info.get().unread, bob)).toBe(4);
  expect(await page.evaluate(() => kept.client.device)).toBe(device);
  const { body } = await cluster.http(cluster.token(alice), 'GET', '/devices');
  expect((body as { devices: unknown[] }).devices).toHaveLength(1);
}, 200_000);

test('a disk that is full: messages come and go, and are stored when there is room', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const page = await openPage();
  const session = await page.context().newCDPSession(page);
  await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 3_000_000 });
  await loadClient(page, { origin, script, token: cluster.token(alice) });
  await synced(page);
  await sendBy(bob, alice, 'before', 'k1');
  await vi.waitFor(async () => expect(await textsOf(page, bob)).toEqual([['before', 'accepted']]), within);
  // Another database of the page takes all the room that there is.
  await page.evaluate(async () => {
    type Request = EventTarget & { result: Database };
    type Store = { put(value: unknown): Request };
    type Database = {
      createObjectStore(name: string, options: object): void;
      transaction(name: string, mode: string): EventTarget & { objectStore(name: string): Store };
    };
    const { indexedDB } = globalThis as unknown as { indexedDB: { open(name: string): Request } };
    const request = indexedDB.open('filler');
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore('all', { autoIncrement: true }));
    await new Promise((resolve) => request.addEventListener('success', resolve));
    for (let size = 60_000; size > 100;) {
      const transaction = request.result.transaction('all', 'readwrite');
      transaction.objectStore('all').put(crypto.getRandomValues(new Uint8Array(size)));
      const isFull = await new Promise((resolve) => {
        transaction.addEventListener('complete', () => resolve(false));
        transaction.addEventListener('abort', () => resolve(true));
      });
      if (isFull === true) size /= 2;
    }
    (request.result as unknown as { close(): void }).close();
  });
  const body = 'x'.repeat(10_000);
  for (let count = 2; (await statusOf(page)).storage !== 'full'; count++) {
    expect(count).toBeLessThan(100);
    await sendBy(bob, alice, `${count} ${body}`, `k${count}`);
    await vi.waitFor(async () => expect((await textsOf(page, bob)).length).toBe(count), within);
  }
  const sent = await page.evaluate(async (name) => {
    const handle = kept.client.direct(name).send('mine');
    await handle.stored;
    const { persisted } = handle.status.get();
    await handle.accepted;
    return persisted;
  }, bob);
  expect(sent).toBe(false);
  const count = (await textsOf(page, bob)).length;

  await page.evaluate(
    () =>
      new Promise((resolve) => {
        const { indexedDB } = globalThis as unknown as { indexedDB: { deleteDatabase(name: string): EventTarget } };
        indexedDB.deleteDatabase('filler').addEventListener('success', resolve);
      }),
  );
  // It is tried once a minute.
  await vi.waitFor(async () => expect((await statusOf(page)).storage).toBe('persistent'), { timeout: 200_000 });
  await loadClient(page, { origin, script, token: cluster.token(alice), url: 'ws://127.0.0.1:9' });
  await page.evaluate(() => kept.client.connect());
  await vi.waitFor(async () => expect(await textsOf(page, bob)).toHaveLength(count), within);
}, 400_000);
