import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import type { Storage } from '../../sdk/src/storage/storage.ts';
import { noBrowser, openBrowser } from '../../tools/harness/browser.ts';
import { clientScript } from '../../tools/harness/client-script.ts';
import { pageProcess } from '../../tools/harness/page-process.ts';
import type { createClient, IndexedDb, sharedTabs } from '../support/client-types.ts';
import { type Cluster, originOf, startCluster } from '../support/cluster.ts';

/** Tabs of a real browser that share one socket: their leaders are closed, stopped and killed. */

declare const restante: { createClient: typeof createClient; indexedDb: IndexedDb; sharedTabs: typeof sharedTabs };
/** What a page of these tests keeps between two evaluations. */
declare const kept: {
  client: ReturnType<typeof createClient>;
  storage: Storage;
  seqs: number[];
  faults: string[];
  /** When it last became the leader with a connection, by the clock of this machine. */
  ledAt: number;
  /** Writes wait for this. */
  gate: Promise<void>;
  open(): void;
};

const within = { timeout: 30_000 };

let browser: Browser | null;
let cluster: Cluster;
let script: string;
let context: BrowserContext;
let origin: string;
let sends = 0;

beforeAll(async () => {
  browser = await openBrowser();
  if (browser === null) return;
  cluster = await startCluster();
  origin = originOf(cluster);
  script = await clientScript({ sharedTabs: 'tabs' });
});
afterAll(async () => {
  await browser?.close();
  await cluster?.stop();
});
beforeEach(async () => {
  if (browser !== null) context = await browser.newContext({ bypassCSP: true });
});
afterEach(() => (browser === null ? undefined : context.close()));

async function openTab(user: string, browsing = context): Promise<Page> {
  const page = await browsing.newPage();
  await page.goto(`${origin}/v1/docs`);
  await page.addScriptTag({ content: script });
  await page.evaluate(
    ([token, url]) => {
      const inner = restante.indexedDb();
      const all = { seqs: [], faults: [], ledAt: 0, gate: Promise.resolve(), open: () => {} } as unknown as typeof kept;
      const write: Storage['write'] = async (batch) => {
        await all.gate;
        return inner.write(batch);
      };
      all.storage = { ...inner, write };
      all.client = restante.createClient({
        url: url!,
        getToken: () => token!,
        storage: all.storage,
        tabs: restante.sharedTabs(),
      });
      all.client.on('message', ({ message: { seq } }) => void all.seqs.push(seq));
      all.client.on('fault', ({ error, where }) => void all.faults.push(`${where}: ${error.message}`));
      let led = false;
      all.client.on('state', ({ leader, state }) => {
        const leads = leader && state === 'connected';
        if (leads && !led) all.ledAt = Date.now();
        led = leads;
      });
      Object.assign(globalThis, { kept: all });
      all.client.connect().catch(() => {});
    },
    [cluster.token(user), origin],
  );
  return page;
}

const leads = (page: Page): Promise<boolean> =>
  page.evaluate(() => {
    const { leader, state } = kept.client.status.get();
    return leader && state === 'connected';
  });
const synced = (page: Page): Promise<void> =>
  vi.waitFor(async () => expect(await page.evaluate(() => kept.client.status.get().synced)).toBe(true), within);
const seqsOf = (page: Page): Promise<number[]> => page.evaluate(() => kept.seqs);
const texts = (page: Page, peer: string): Promise<unknown[]> =>
  page.evaluate(
    (name) =>
      kept.client
        .direct(name)
        .messages.get()
        .items.map((item) => ('hole' in item ? item.hole : item.body)),
    peer,
  );

/** Three tabs of alice; the first one leads. */
async function threeTabs(user: string): Promise<[Page, Page, Page]> {
  const first = await openTab(user);
  await synced(first);
  const others = [await openTab(user), await openTab(user)] as const;
  for (const page of others) await synced(page);
  expect(await Promise.all([first, ...others].map(leads))).toEqual([true, false, false]);
  return [first, ...others];
}

async function sendFrom(sender: string, to: string, body: string): Promise<void> {
  const clientId = `m${++sends}`;
  const { status } = await cluster.http(cluster.token(sender), 'POST', '/messages', {
    clientId,
    to,
    kind: 'text',
    body,
  });
  expect(status).toBe(201);
}

/** All that were sent, once each and in order, in every tab. */
async function sameInAll(pages: Page[], peer: string, bodies: string[]): Promise<void> {
  const seqs = bodies.map((_, index) => index + 1);
  for (const page of pages) {
    await vi.waitFor(async () => expect(await texts(page, peer)).toEqual(bodies), within);
    await vi.waitFor(async () => expect((await seqsOf(page)).toSorted((a, b) => a - b)).toEqual(seqs), within);
  }
}

const openSockets = async (user: string): Promise<number> => {
  const { body } = await cluster.http(cluster.token(user), 'GET', '/devices');
  const { devices } = body as { devices: { online: boolean }[] };
  expect(devices).toHaveLength(1);
  return devices.filter(({ online }) => online).length;
};

test('another tab takes over from a leader that is closed', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const [first, second, third] = await threeTabs(alice);
  await sendFrom(bob, alice, 'one');
  await sameInAll([first, second, third], bob, ['one']);
  const since = Date.now();
  await first.close();
  await sendFrom(bob, alice, 'two');
  await vi.waitFor(async () => expect([await leads(second), await leads(third)]).toContain(true), within);
  const ledAt = Math.max(...(await Promise.all([second, third].map((page) => page.evaluate(() => kept.ledAt)))));
  console.log(`a leader that was closed: another is connected after ${ledAt - since} ms`);
  await sendFrom(bob, alice, 'three');
  await sameInAll([second, third], bob, ['one', 'two', 'three']);
  expect(await openSockets(alice)).toBe(1);
});

test.for(['SIGSTOP', 'SIGKILL'] as const)(
  'a tab that wants something takes over after a %s of the leader',
  async (signal, skipping) => {
    if (browser === null) return skipping.skip(noBrowser);
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    const [first, second, third] = await threeTabs(alice);
    const pid = await pageProcess(browser, first);
    expect(await pageProcess(browser, second)).not.toBe(pid);
    await sendFrom(bob, alice, 'one');
    await sameInAll([first, second, third], bob, ['one']);
    process.kill(pid, signal);
    await sendFrom(bob, alice, 'two');
    const since = Date.now();
    await second.evaluate((name) => kept.client.direct(name).send('three').accepted, bob);
    console.log(`a leader after ${signal}: another has a message accepted after ${Date.now() - since} ms`);
    const bodies = (await texts(second, bob)) as string[];
    expect(bodies.toSorted()).toEqual(['one', 'three', 'two']);
    await sameInAll([second, third], bob, bodies);
    expect(await openSockets(alice)).toBe(1);
    if (signal === 'SIGKILL') return;
    process.kill(pid, 'SIGCONT');
    await vi.waitFor(async () => expect(await leads(first)).toBe(false), within);
    await sendFrom(bob, alice, 'four');
    await sameInAll([first, second, third], bob, [...bodies, 'four']);
    expect(await openSockets(alice)).toBe(1);
    expect([await leads(second), await leads(third)]).toContain(true);
  },
);

test('what a stopped leader had in hand is not stored after another has taken over', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const [first, second, third] = await threeTabs(alice);
  const pid = await pageProcess(browser, first);
  await first.evaluate(() => {
    kept.gate = new Promise((resolve) => (kept.open = resolve));
  });
  await sendFrom(bob, alice, 'one');
  // The gateway has pushed it, and the leader is about to write it.
  await first.waitForFunction(() => new Promise((resolve) => setTimeout(() => resolve(true), 500)));
  expect(await seqsOf(second)).toEqual([]);
  process.kill(pid, 'SIGSTOP');
  await second.evaluate((name) => kept.client.direct(name).send('two').accepted, bob);
  await sendFrom(bob, alice, 'three');
  await sameInAll([second, third], bob, ['one', 'two', 'three']);
  process.kill(pid, 'SIGCONT');
  await first.evaluate(() => kept.open());
  await sameInAll([first, second, third], bob, ['one', 'two', 'three']);
  const [stored] = await second.evaluate(() => kept.storage.list(1));
  expect(stored).toMatchObject({ lastSeq: 3, present: [{ fromSeq: 1, toSeq: 3 }] });
  expect(await first.evaluate(() => kept.faults)).toContainEqual(
    expect.stringContaining('was replaced by one of term'),
  );
});

test('private pages without a storage are alone, and push no device of the user out', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const alice = cluster.user('alice');
  const phone = await cluster.connect(alice, { device: 'phone' });
  await phone.close();
  await context.addInitScript(() => Object.defineProperty(globalThis, 'indexedDB', { value: undefined }));
  for (let load = 0; load < 25; load++) {
    const page = await openTab(alice);
    await synced(page);
    expect(await page.evaluate(() => kept.client.status.get())).toMatchObject({ leader: true, storage: 'memory' });
    await page.close();
  }
  const { body } = await cluster.http(cluster.token(alice), 'GET', '/devices');
  const { devices } = body as { devices: { device: string }[] };
  expect(devices.map(({ device }) => device)).toContain('phone');
});

test('two devices of a user agree on what was read and written, also when one was offline', async (skipping) => {
  if (browser === null) return skipping.skip(noBrowser);
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const here = await openTab(alice);
  const other = await browser.newContext({ bypassCSP: true });
  const there = await openTab(alice, other);
  for (const page of [here, there]) await synced(page);
  await sendFrom(bob, alice, 'one');
  await sameInAll([here, there], bob, ['one']);
  await other.setOffline(true);
  await vi.waitFor(
    async () => expect(await there.evaluate(() => kept.client.status.get())).toMatchObject({ state: 'waiting' }),
    within,
  );
  await sendFrom(bob, alice, 'two');
  await vi.waitFor(async () => expect(await texts(here, bob)).toEqual(['one', 'two']), within);
  await here.evaluate(async (name) => {
    await kept.client.direct(name).send('three').accepted;
    await kept.client.direct(name).read();
  }, bob);
  await other.setOffline(false);
  const infos = (): Promise<unknown[]> =>
    Promise.all(
      [here, there].map((page) =>
        page.evaluate(() =>
          kept.client.conversations.get().map(({ id, unread, readSeq, lastSeq }) => [id, unread, readSeq, lastSeq]),
        ),
      ),
    );
  await vi.waitFor(async () => {
    expect(await texts(there, bob)).toEqual(['one', 'two', 'three']);
    const [one, two] = await infos();
    expect(two).toEqual(one);
    expect(one).toEqual([[expect.any(String), 0, 3, 3]]);
  }, within);
  await other.close();
});
