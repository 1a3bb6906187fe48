import { expect, test, vi } from 'vitest';
import type { Client } from '../../../../sdk/src/client/api.ts';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Storage } from '../../../../sdk/src/storage/storage.ts';
import { playedServer } from '../../../../sdk/src/testing/played-server.ts';
import { playLocalStorage } from '../../../support/local-storage.ts';

/** What `localStorage` says of a storage that is empty: it was lost, or nothing was ever in it. */

playLocalStorage();

const fetch = async (): Promise<Response> => new Response(null, { status: 204 });
const persistent = (name = 'main'): Storage => ({ ...memory(), persistent: true, name });
const load = (storage: Storage, webSocket = playedServer().webSocket): Client =>
  createClient({ url: 'wss://chat.example.com', getToken: () => 'token', storage, webSocket, fetch });
const named = (client: Client): Promise<string> =>
  vi.waitFor(() => {
    expect(client.device).toMatch(/^web-[a-z0-9]{10}$/);
    return client.device;
  });
async function connect(storage: Storage) {
  const { webSocket, greet } = playedServer();
  const client = load(storage, webSocket);
  const ready = client.connect();
  const { hello } = await greet();
  await ready;
  return { client, hello };
}

test('a storage that was lost is noticed: the same device begins anew', async () => {
  const { client: first } = await connect(persistent());
  expect(first.status.get().storage).toBe('persistent');
  await first.close();
  const { client, hello } = await connect(persistent());
  expect(hello).toMatchObject({ device: first.device, position: 0 });
  expect(client.status.get().storage).toBe('lost');
  await client.close();
});

test('two tabs that load at once for the first time are one device, and nothing was lost', async () => {
  const storage = persistent();
  const tabs = [load(storage), load(storage)];
  const [one, other] = await Promise.all(tabs.map(named));
  expect(one).toBe(other);
  expect(tabs.map(({ status }) => status.get().storage)).toEqual(['persistent', 'persistent']);
});

test('a tab that opens the storage just before another one stores its first rows lost nothing', async () => {
  const storage = persistent();
  const slow: Storage = {
    ...storage,
    async open() {
      const found = await storage.open();
      await connect(storage);
      return found;
    },
  };
  const tab = load(slow);
  await named(tab);
  expect([tab.status.get().storage, await storage.open()]).toMatchObject(['persistent', { device: tab.device }]);
});

test('a storage of another name, and one of somebody who signed out before, lost nothing', async () => {
  const { client } = await connect(persistent());
  const { client: other } = await connect(persistent('other'));
  expect(other.status.get().storage).toBe('persistent');
  await client.signOut();
  const { client: again } = await connect(persistent());
  expect(again.status.get().storage).toBe('persistent');
  await Promise.all([other.close(), again.close()]);
});
