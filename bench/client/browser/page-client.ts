import type { Page } from 'playwright-core';
import type { createClient } from '../../../sdk/src/client/client.ts';
import type { Storage } from '../../../sdk/src/storage/storage.ts';
import type { sharedTabs } from '../../../sdk/src/tabs/shared-tabs.ts';

/** What the script of the client package sets in a page. */
export type Package = {
  createClient: typeof createClient;
  indexedDb(options?: { name?: string }): Storage;
  sharedTabs: typeof sharedTabs;
};
declare const restante: Package;

/** What a page keeps between two evaluations. */
export type Kept = {
  client: ReturnType<typeof createClient>;
  /** `message` events so far. */
  count: number;
  /** When it last became the leader with a connection, and took its last live message while connected (Date.now). */
  ledAt: number;
  liveAt: number;
};
declare const kept: Kept;

/** A client in `kept`, on IndexedDB and among the tabs of its profile. It connects to where the page is from. */
export async function startClient(page: Page, token: string): Promise<void> {
  const url = new URL(page.url()).origin;
  await page.evaluate(
    ([given, where]) => {
      const client = restante.createClient({
        url: where!,
        getToken: () => given!,
        storage: restante.indexedDb(),
        tabs: restante.sharedTabs(),
      });
      const all: Kept = { client, count: 0, ledAt: 0, liveAt: 0 };
      client.on('message', ({ live }) => {
        all.count++;
        if (live && client.status.get().state === 'connected') all.liveAt ||= Date.now();
      });
      let led = false;
      client.on('state', ({ leader, state }) => {
        const leads = leader && state === 'connected';
        if (leads && !led) all.ledAt = Date.now();
        led = leads;
      });
      Object.assign(globalThis, { kept: all });
      client.connect().catch(() => {});
    },
    [token, url],
  );
}

export const untilSynced = (page: Page): Promise<unknown> =>
  page.waitForFunction(() => kept.client.status.get().synced);
