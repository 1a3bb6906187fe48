import { expect, test } from 'vitest';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Storage } from '../../../../sdk/src/storage/storage.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedServer } from '../../../../sdk/src/testing/played-server.ts';
import type { Hole } from '../../../../sdk/src/view/message-view.ts';
import { amendment, message } from '../intake/played-intake.ts';

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

test('takes away 5 seconds after the last message, and nothing after it was closed', async () => {
  for (const closes of [false, true]) {
    const storage = memory();
    const { client, clock, peer } = await connect(storage, { perConversation: 5 });
    peer.say({ type: 'deliver', items: items(1, 20, { sender: 'alice' }) });
    await clock.advance(3000);
    peer.say({ type: 'deliver', items: items(21, 22, { sender: 'alice' }) });
    await clock.advance(4000);
    expect(await storage.read('c', 1, 99, 99)).toHaveLength(22);
    if (closes) await client.close();
    await clock.advance(1100);
    expect(await storage.read('c', 1, 99, 99)).toHaveLength(closes ? 22 : 5);
  }
});

const items = (from: number, to: number, more = {}) =>
  Array.from({ length: to - from + 1 }, (_, at) => ({ position: from + at, message: message(from + at, more) }));

test('of messages that have left a line stays: a recall empties it, and a view shows it offline', async () => {
  const storage = memory();
  const { client, clock, peer } = await connect(storage, { perConversation: 5, memory: 5 });
  const conversation = client.conversation('c');
  peer.say({ type: 'deliver', items: items(1, 20, { sender: 'alice' }) });
  await clock.advance(20_000);
  expect((await storage.conversation('c'))!.indexed).toEqual([{ fromSeq: 1, toSeq: 15 }]);
  peer.say({
    type: 'deliver',
    items: [{ position: 21, message: amendment(21, 14, { action: 'recall', version: 1 }) }],
  });
  await clock.advance(100);
  client.disconnect();
  void conversation.older(5);
  await clock.advance(100);
  const [hole] = conversation.messages.get().items;
  expect(hole).toMatchObject({ hole: { fromSeq: 12, toSeq: 16 }, state: 'loading' });
  const { lines } = hole as Hole;
  expect(lines!.map(({ seq, summary }) => [seq, summary])).toEqual([
    [12, 'm12'],
    [13, 'm13'],
    [14, ''],
    [15, 'm15'],
  ]);
});

test('a message that is read again leaves the index', async () => {
  const storage = memory();
  const { client, clock, peer } = await connect(storage, { perConversation: 5 });
  peer.say({ type: 'deliver', items: items(1, 10, { sender: 'alice' }) });
  await clock.advance(20_000);
  expect((await storage.conversation('c'))!.indexed).toEqual([{ fromSeq: 1, toSeq: 5 }]);
  const reading = client.conversation('c').around(5, 2);
  const { id } = await peer.next('history');
  peer.say({ type: 'history', re: id, conversation: 'c', messages: [message(4), message(5)], more: true, absent: [] });
  await clock.advance(100);
  await reading;
  const row = (await storage.conversation('c'))!;
  expect([row.indexed, row.present]).toEqual([[{ fromSeq: 1, toSeq: 3 }], [{ fromSeq: 4, toSeq: 10 }]]);
  expect(await storage.index('c', 1, 99, 99)).toHaveLength(3);
});

test('the index has an end too, and the bytes are counted', async () => {
  const storage = memory();
  const { clock, peer } = await connect(storage, { perConversation: 5, index: 8 });
  peer.say({ type: 'deliver', items: items(1, 20, { sender: 'alice', body: 'x'.repeat(1000) }) });
  await clock.advance(100);
  expect((await storage.conversation('c'))!.bytes).toBe(20 * 1250);
  await clock.advance(20_000);
  const { bytes, indexed } = (await storage.conversation('c'))!;
  expect([bytes, indexed]).toEqual([5 * 1250, [{ fromSeq: 8, toSeq: 15 }]]);
  expect((await storage.index('c', 1, 99, 99)).map(({ seq }) => seq)).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
});

test('5,000 messages too many leave in slices of at most 200', async () => {
  const inner = memory();
  const slices: number[] = [];
  const write: Storage['write'] = async (batch) => {
    for (const { fromSeq, toSeq } of batch.evict ?? []) slices.push(toSeq - fromSeq + 1);
    await inner.write(batch);
  };
  const { clock, peer } = await connect({ ...inner, write }, { perConversation: 100 });
  for (let from = 1; from <= 5000; from += 200) {
    peer.say({ type: 'deliver', items: items(from, from + 199, { sender: 'alice' }) });
    while ((await inner.conversation('c'))?.lastSeq !== from + 199) await clock.advance(1);
  }
  expect(slices).toEqual([]);
  while ((await inner.conversation('c'))!.present[0]!.fromSeq <= 4900) await clock.advance(1000);
  expect([Math.max(...slices), slices.reduce((sum, one) => sum + one, 0)]).toEqual([200, 4900]);
});

test('nothing leaves between a message and its confirmation', async () => {
  const order: string[] = [];
  const inner = memory();
  const write: Storage['write'] = async (batch) => {
    if ((batch.evict ?? []).length > 0) order.push('evict');
    await inner.write(batch);
  };
  const { client, clock, peer } = await connect({ ...inner, write }, { perConversation: 1 });
  peer.say({ type: 'deliver', items: items(1, 3, { sender: 'alice' }) });
  await clock.advance(4990);
  peer.say({ type: 'deliver', items: items(4, 4, { sender: 'alice' }) });
  await clock.advance(60);
  expect(order).toEqual([]);
  expect(peer.frames.filter(({ type }) => type === 'received')).toHaveLength(1);
  await clock.advance(10_000);
  expect(order).toEqual(['evict']);
  client.disconnect();
});

test('of conversations that nobody looked at lately no message stays in memory', async () => {
  const storage = memory();
  const { client, clock, peer } = await connect(storage);
  const first = client.conversation('c');
  peer.say({ type: 'deliver', items: items(1, 3) });
  await clock.advance(100);
  expect(first.messages.get().items).toHaveLength(3);
  const looked: string[] = [];
  const read = storage.read;
  storage.read = (conversation, ...rest) => {
    looked.push(conversation);
    return read(conversation, ...rest);
  };
  for (let other = 1; other <= 30; other++) client.conversation(`other ${other}`);
  await clock.advance(100);
  expect(looked).not.toContain('c');
  // The next look brings them back.
  first.messages.get();
  await clock.advance(100);
  expect(looked).toContain('c');
  expect(first.messages.get().items).toHaveLength(3);
});
