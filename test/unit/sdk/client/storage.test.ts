import { expect, test, vi } from 'vitest';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Storage } from '../../../../sdk/src/storage/storage.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedServer } from '../../../../sdk/src/testing/played-server.ts';
import { message } from '../intake/played-intake.ts';

/** A client and its storage, with a clock that stands and the package's own played server. */

async function connect(storage: Storage, cache = {}) {
  const clock = fakeClock();
  const { webSocket, greet } = playedServer();
  const faults: string[] = [];
  const client = createClient({
    url: 'wss://chat.example.com',
    getToken: () => 'token',
    device: 'phone',
    clock,
    storage,
    webSocket,
    cache,
  });
  client.on('fault', ({ error, where }) => faults.push(`${where}: ${error.message}`));
  const ready = client.connect();
  await clock.advance(6000);
  const { peer } = await greet();
  await ready;
  await clock.advance(100);
  return { client, clock, peer, faults };
}

test('goes on in memory when the storage does not open, and says so', async () => {
  const broken: Storage = { ...memory(), persistent: true, open: () => new Promise(() => {}) };
  const { client, faults, clock, peer } = await connect(broken);
  expect(faults).toEqual(['storage: the storage did not open within 5000 ms']);
  expect(client.status.get()).toMatchObject({ state: 'connected', storage: 'memory' });
  const handle = client.conversation('c').send('1');
  await clock.advance(10);
  expect(handle.status.get()).toEqual({ state: 'sending', persisted: false });
  expect(await peer.next('send')).toMatchObject({ body: '1' });
});

test.each(['StorageBusy', 'StorageUpgraded'])('does not go on when the storage says %s', async (name) => {
  const clock = fakeClock();
  const open = (): Promise<never> => Promise.reject(Object.assign(new Error('not for you'), { name }));
  const client = createClient({
    url: 'wss://chat.example.com',
    getToken: () => 'token',
    clock,
    storage: { ...memory(), persistent: true, open },
    webSocket: playedServer().webSocket,
  });
  await expect(client.connect()).rejects.toThrow('not for you');
});

test('keeps within its limits when it is idle, and what has left stands as a hole', async () => {
  const storage = memory();
  const { client, clock, peer } = await connect(storage, { perConversation: 10 });
  const conversation = client.conversation('c');
  const items = Array.from({ length: 30 }, (_, index) => ({ position: index + 1, message: message(index + 1) }));
  peer.say({ type: 'deliver', items });
  await clock.advance(100);
  expect(await storage.read('c', 1, 99, 99)).toHaveLength(30);
  const handle = conversation.read();
  await clock.advance(100);
  const request = await peer.next('read');
  peer.say({ ...request, re: request['id'] });
  await clock.advance(20_000);
  expect((await storage.read('c', 1, 99, 99)).map(({ seq }) => seq)).toEqual([21, 22, 23, 24, 25, 26, 27, 28, 29, 30]);
  expect((await storage.conversation('c'))!.present).toEqual([{ fromSeq: 21, toSeq: 30 }]);
  client.disconnect();
  await handle.catch(() => {});
});

test('a storage that was lost is noticed by the name of the device beside it', async () => {
  const kept = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
  try {
    const persistent = (): Storage => ({ ...memory(), persistent: true });
    const options = { url: 'wss://chat.example.com', getToken: () => 'token' };
    const first = createClient({ ...options, storage: persistent(), webSocket: playedServer().webSocket });
    await vi.waitFor(() => expect(first.device).toMatch(/^web-[a-z0-9]{10}$/));
    expect(first.status.get().storage).toBe('persistent');
    const { webSocket, greet } = playedServer();
    const second = createClient({ ...options, storage: persistent(), webSocket });
    const ready = second.connect();
    const { hello } = await greet();
    await ready;
    expect(hello).toMatchObject({ device: first.device, position: 0 });
    expect(second.status.get().storage).toBe('lost');
    await second.close();
  } finally {
    vi.unstubAllGlobals();
  }
});
