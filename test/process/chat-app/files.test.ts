import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterEach, expect, test, vi } from 'vitest';
import { noBrowser } from '../../../tools/harness/browser.ts';
import { prepareChatApp, within } from '../../support/chat-app.ts';
import { originOf } from '../../support/cluster.ts';

/** How the files of the chat app come into a browser, how often, and what is kept of them. */

const app = prepareChatApp({ fanout: false, archive: false });

/** Stands before the gateway: it counts what is asked for, and can serve a script as if it had been changed. */
async function startFront(origin: string) {
  const asked: string[] = [];
  let added = '';
  const server = createServer((request, response) => {
    const path = request.url!;
    asked.push(path);
    const answer = async (): Promise<void> => {
      const from = await fetch(origin + path);
      for (const name of ['content-type', 'content-security-policy', 'cache-control', 'service-worker-allowed']) {
        const value = from.headers.get(name);
        if (value !== null) response.setHeader(name, value);
      }
      const text = await from.text();
      response.writeHead(from.status).end(path === '/app/main.js' ? text + added : text);
    };
    answer().catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    change: (script: string) => void (added = `\n${script}`),
    async close() {
      server.closeAllConnections();
      if (server.listening) await once(server.close(), 'close');
    },
  };
}

const fronts: Awaited<ReturnType<typeof startFront>>[] = [];
afterEach(() => Promise.all(fronts.splice(0).map((front) => front.close())));

async function openBehindFront() {
  const front = await startFront(originOf(app.cluster));
  fronts.push(front);
  const { page } = await app.open();
  await page.goto(front.origin);
  await untilShown(page);
  return { front, page };
}

const untilShown = (page: Page): Promise<void> => page.getByRole('button', { name: 'Sign in' }).waitFor();

const files = ['/', '/look.css', '/app/main.js', '/app/files/app.css', '/app/files/dialogs.css'];

/** What the browser keeps of each file. */
const kept = (page: Page): Promise<string[]> =>
  page.evaluate<string[]>(`Promise.all(${JSON.stringify(files)}.map((path) =>
    caches.match(path).then((found) => found?.text() ?? '')))`);

/** Resolves when the next load goes through the service worker, and has been prepared by the first. */
async function untilKept(page: Page): Promise<void> {
  await page.evaluate('navigator.serviceWorker.ready.then(() => true)');
  await vi.waitFor(async () => expect(await kept(page)).not.toContain(''), within);
}

test('the app is one script', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { front } = await openBehindFront();
  const scripts = front.asked.filter((path) => path.endsWith('.js') && path !== '/app/sw.js');
  expect(new Set(scripts)).toEqual(new Set(['/app/main.js']));
});

test('a start asks the server once for each file', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { front, page } = await openBehindFront();
  await untilKept(page);
  await page.reload();
  await untilShown(page);
  front.asked.length = 0;
  // What the service worker asks for after a load would be counted before the end of the next ones.
  const loads = 4;
  for (let load = 1; load <= loads; load++) {
    await page.reload();
    await untilShown(page);
  }
  const timesOf = (path: string): number => front.asked.filter((one) => one === path).length;
  expect(files.map((path) => [path, timesOf(path)])).toEqual(files.map((path) => [path, loads]));
});

test('a changed script is there with the next load, and with the start without a server after it', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const { front, page } = await openBehindFront();
  await untilKept(page);
  front.change('document.documentElement.dataset.version = "changed";');
  const version = () => page.evaluate<string | undefined>('document.documentElement.dataset.version');
  await page.reload();
  await untilShown(page);
  await vi.waitFor(async () => expect(await version()).toBe('changed'), within);
  await vi.waitFor(async () => expect((await kept(page)).join('\n')).toContain('changed'), within);

  await front.close();
  await page.reload();
  await untilShown(page);
  expect(await version()).toBe('changed');
});

test('an error can be traced to its source', async (context) => {
  if (app.browser === null) return context.skip(noBrowser);
  const script = await (await fetch(`${originOf(app.cluster)}/app/main.js`)).text();
  const [, name] = /\/\/# sourceMappingURL=(.+)\s*$/.exec(script)!;
  const map = (await (await fetch(`${originOf(app.cluster)}/app/${name}`)).json()) as { sources: string[] };
  expect(map.sources).toEqual(expect.arrayContaining([expect.stringMatching(/\bstate\/session\.ts$/)]));
});
