import type { Page } from 'playwright-core';
import type { createClient, IndexedDb } from './client-types.ts';

/** Pages with the client package and a client on the storage of their browser. */

type OnPage = { createClient: typeof createClient; indexedDb: IndexedDb };
declare const restante: OnPage;
/** What a page keeps between two evaluations. */
export type Kept = {
  client: ReturnType<typeof createClient>;
  states: string[];
  storages: string[];
  faults: string[];
  welcomes: number;
};
declare const kept: Kept;

export type Loading = {
  /** Where the page comes from. */
  origin: string;
  script: string;
  token: string;
  /** Where the client connects; by default where the page comes from. */
  url?: string;
};

/** Loads the page anew, with a client in `kept`. */
export async function loadClient(page: Page, { origin, script, token, url = origin }: Loading): Promise<void> {
  await page.goto(`${origin}/v1/docs`);
  await page.addScriptTag({ content: script });
  await page.evaluate(
    ([given, where]) => {
      const client = restante.createClient({ url: where!, getToken: () => given!, storage: restante.indexedDb() });
      const all: Kept = { client, states: [], storages: [], faults: [], welcomes: 0 };
      client.on('state', ({ state }) => void (all.states.at(-1) === state || all.states.push(state)));
      client.on('storage', (state) => all.storages.push(state));
      client.on('fault', ({ error, where: at }) => all.faults.push(`${at}: ${error.message}`));
      client.on('welcome', () => all.welcomes++);
      Object.assign(globalThis, { kept: all });
      client.connect().catch(() => {});
    },
    [token, url],
  );
}

export const statusOf = (page: Page) => page.evaluate(() => kept.client.status.get());

/** Bodies and states of what is shown of the conversation with a user, and holes. */
export const textsOf = (page: Page, peer: string): Promise<unknown[]> =>
  page.evaluate(
    (name) =>
      kept.client
        .direct(name)
        .messages.get()
        .items.map((item) => ('hole' in item ? item.hole : [item.body, item.status])),
    peer,
  );
