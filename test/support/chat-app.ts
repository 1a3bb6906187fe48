import type { BrowserContextOptions, Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import { openBrowser } from '../../tools/harness/browser.ts';
// @ts-expect-error The launcher is plain JavaScript for older Node versions; its types are checked on their own.
import { compileChatApp as compile } from '../../tools/launcher/chat-app.mjs';
import { type Cluster, type ClusterOptions, originOf, startCluster } from './cluster.ts';

/** The chat app in a real browser, as a gateway serves it. */

/** As `npm start` does it: only if a source is newer. */
async function compileChatApp(): Promise<void> {
  const fault = await (compile as (node: string) => Promise<string | null>)(process.execPath);
  expect(fault).toBeNull();
}

export type AppPage = {
  page: Page;
  /** Errors of the console and of scripts, and requests to anywhere but the gateway. A 503 says to ask again later. */
  faults: string[];
  close(): Promise<void>;
};

/** A page in a browser profile of its own. */
async function openPage(browser: Browser, cluster: Cluster, options: BrowserContextOptions = {}): Promise<AppPage> {
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(60_000);
  const page = await context.newPage();
  return { page, faults: watchFaults(page, cluster), close: () => context.close() };
}

function watchFaults(page: Page, cluster: Cluster): string[] {
  const faults: string[] = [];
  const own = [originOf(cluster), 'data:', 'blob:'];
  page.on(
    'console',
    (line) => line.type() === 'error' && !/status of 503/.test(line.text()) && faults.push(line.text()),
  );
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('request', (request) => {
    const url = request.url();
    if (!own.some((beginning) => url.startsWith(beginning))) faults.push(`went to ${url}`);
  });
  return faults;
}

/** What the tests of a file share. */
export type AppUnderTest = {
  /** Null where there is no browser: the tests are skipped. */
  readonly browser: Browser | null;
  readonly cluster: Cluster;
  /** A page that is closed after the test. */
  open(options?: BrowserContextOptions): Promise<AppPage>;
};

/** What is awaited on a busy machine, which takes long to start a browser and a cluster. */
export const within = { timeout: 60_000 };

/** Compiles the app and starts a browser and a cluster for the tests of a file. */
export function prepareChatApp(options: ClusterOptions = {}): AppUnderTest {
  vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });
  let browser: Browser | null = null;
  let cluster: Cluster;
  const opened: AppPage[] = [];
  beforeAll(async () => {
    browser = await openBrowser();
    if (browser === null) return;
    await compileChatApp();
    cluster = await startCluster(options);
  });
  afterAll(async () => {
    await browser?.close();
    await cluster?.stop();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map(({ close }) => close()));
  });
  return {
    get browser() {
      return browser;
    },
    get cluster() {
      return cluster;
    },
    async open(given) {
      const one = await openPage(browser!, cluster, given);
      opened.push(one);
      return one;
    },
  };
}

/** Signs in by a token in the address, and waits until everything is up to date. */
export async function signIn(page: Page, cluster: Cluster, user: string, peer?: string): Promise<void> {
  const to = peer === undefined ? '' : `&peer=${peer}`;
  await page.goto(`${originOf(cluster)}/#token=${cluster.token(user)}${to}`);
  // On a phone the list is behind the conversation.
  await page.getByText('Connected', { exact: true }).waitFor({ state: 'attached' });
  if (peer !== undefined) await composer(page).waitFor();
}

export const composer = (page: Page) => page.locator('textarea');

export async function write(page: Page, text: string): Promise<void> {
  await composer(page).fill(text);
  await composer(page).press('Enter');
}

/** The texts of the messages that are shown, without their times. */
export const texts = (page: Page): Promise<string[]> =>
  page.locator('.bubble .text > span:first-child').allTextContents();

/** How far each message of one's own has come, in words. */
export const states = (page: Page): Promise<string[]> => page.locator('.bubble .state .unseen').allTextContents();

/** Resolves when what was changed is drawn. */
export const nextFrames = (page: Page): Promise<unknown> =>
  page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))');
