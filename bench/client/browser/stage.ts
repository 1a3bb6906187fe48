import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { noBrowser, openBrowser } from '../../../tools/harness/browser.ts';
import { clientScript } from '../../../tools/harness/client-script.ts';
import { type Cluster, startCluster } from '../../../tools/harness/local-cluster.ts';
// @ts-expect-error The launcher is plain JavaScript for older Node versions; its types are checked on their own.
import { compileChatApp as compile } from '../../../tools/launcher/chat-app.mjs';
import { paintProbe } from './paint-probe.ts';

/** What the measurements have in common: a browser, a cluster with the chat app, and the client package. */
export type Stage = {
  readonly browser: Browser;
  readonly cluster: Cluster;
  /** The gateway's port. */
  readonly port: number;
  /** The client package as a script for pages. */
  readonly script: string;
  /** A name that no other measurement uses. */
  user(name: string): string;
  /** Runs with a browser profile of its own, which is gone afterwards. Its pages have `whenPainted`. */
  withProfile<Result>(work: (profile: BrowserContext) => Promise<Result>): Promise<Result>;
  close(): Promise<void>;
};

/** What a page of the client package loads. */
const emptyPage = '/v1/docs';

const options: BrowserContextOptions = {
  locale: 'en-GB',
  viewport: { width: 1280, height: 800 },
  // The script of the client package is put into a page of the gateway.
  bypassCSP: true,
};

export async function openStage(): Promise<Stage> {
  const browser = await openBrowser();
  if (browser === null) throw new Error(noBrowser);
  const fault = await (compile as (node: string) => Promise<string | null>)(process.execPath);
  if (fault !== null) throw new Error(fault);
  const cluster = await startCluster({
    // A new device gets all of a long backlog.
    env: { INBOX_MAX_ENTRIES: '10000' },
    readyWithinMs: 120_000,
  });
  const script = await clientScript({ sharedTabs: 'tabs' });
  let users = 0;
  return {
    browser,
    cluster,
    port: Number(new URL(cluster.url).port),
    script,
    user: (name) => `${name}_${++users}`,
    async withProfile(work) {
      const profile = await browser.newContext(options);
      profile.setDefaultTimeout(120_000);
      await profile.addInitScript(paintProbe);
      try {
        return await work(profile);
      } finally {
        await profile.close();
      }
    },
    async close() {
      await browser.close();
      await cluster.stop();
    },
  };
}

/** A page with the client package, served at this port. */
export async function openPage(profile: BrowserContext, { script }: Stage, port: number): Promise<Page> {
  const page = await profile.newPage();
  await page.goto(`http://127.0.0.1:${port}${emptyPage}`);
  await page.addScriptTag({ content: script });
  return page;
}
