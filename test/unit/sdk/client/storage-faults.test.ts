import { expect, test, vi } from 'vitest';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Storage } from '../../../../sdk/src/storage/storage.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedServer, type PlayedPeer } from '../../../../sdk/src/testing/played-server.ts';
import { playLocalStorage } from '../../../support/local-storage.ts';
import { message } from '../intake/played-intake.ts';

/** What a client does when its storage takes nothing, does not open, or is gone. */

const named = (name: string): Error => Object.assign(new Error(name), { name });

/** A storage that outlives the process, and fails as it is told to. */
function faulty(inner = memory()) {
  const faults: { write: Error | null; open: Error | null } = { write: null, open: null };
  const storage: Storage = {
    ...inner,
    persistent: true,
    open: async () => {
      if (faults.open !== null) throw faults.open;
      return inner.open();
    },
    write: async (batch) => {
      if (faults.write !== null) throw faults.write;
      await inner.write(batch);
    },
  };
  return { inner, storage, faults };
}

const kept = playLocalStorage();

async function connect(storage: Storage) {
  const clock = fakeClock();
  const { webSocket, greet } = playedServer();
  const log: string[] = [];
  const client = createClient({ url: 'wss://chat.example.com', getToken: () => 'token', clock, storage, webSocket });
  client.on('fault', ({ error, where }) => log.push(`${where}: ${error.message}`));
  client.on('storage', (state) => log.push(state));
  const ready = client.connect();
  await clock.advance(10);
  const { peer, hello } = await greet();
  await ready;
  await clock.advance(100);
  return { client, clock, peer, hello, log, greet };
}

const deliver = (peer: PlayedPeer, from: number, to: number): void =>
  peer.say({
    type: 'deliver',
    items: Array.from({ length: to - from + 1 }, (_, at) => ({
      position: from + at,
      message: message(from + at, { sender: 'alice' }),
    })),
  });
const answer = async (peer: PlayedPeer, seq: number): Promise<void> => {
  const { id, clientId } = await peer.next('send');
  peer.say({ type: 'accepted', re: id, clientId, message: { id: `${seq}-0`, conversation: 'c', seq, at: 9 } });
};
const storedSeqs = async (storage: Storage): Promise<number[]> =>
  (await storage.read('c', 1, 999, 999)).map(({ seq }) => seq);
const rising = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);

test('a full storage gives up a quarter of its messages first', async () => {
  const { inner, storage, faults } = faulty();
  const { client, clock, peer, log } = await connect(storage);
  deliver(peer, 1, 40);
  await clock.advance(100);
  faults.write = named('QuotaExceededError');
  const write = storage.write;
  storage.write = async (batch) => {
    // What gives room is taken.
    if ((batch.evict ?? []).length > 0) faults.write = null;
    await write(batch);
  };
  deliver(peer, 41, 41);
  await clock.advance(100);
  expect(await storedSeqs(inner)).toEqual(rising(11, 41));
  expect((await inner.conversation('c'))!.indexed).toEqual([{ fromSeq: 1, toSeq: 10 }]);
  expect([client.status.get().storage, log]).toEqual(['persistent', []]);
});

test('a storage that stays full: messages come and go, and all is stored when there is room', async () => {
  const { inner, storage, faults } = faulty();
  const { client, clock, peer, log } = await connect(storage);
  deliver(peer, 1, 8);
  await clock.advance(100);
  faults.write = named('QuotaExceededError');
  deliver(peer, 9, 12);
  await clock.advance(1000);
  expect(client.status.get().storage).toBe('full');
  expect(log).toEqual(['storage: QuotaExceededError', 'full']);
  expect(peer.frames.findLast(({ type }) => type === 'received')).toMatchObject({ position: 12 });
  expect(await storedSeqs(inner)).toEqual(rising(1, 8));

  const handle = client.conversation('c').send('mine');
  await clock.advance(100);
  expect(handle.status.get()).toEqual({ state: 'sending', persisted: false });
  await answer(peer, 13);
  await clock.advance(100);
  await handle.accepted;
  expect(client.conversation('c').messages.get().items).toHaveLength(13);
  const waiting = client.conversation('c').send('later');
  await clock.advance(60_000);
  expect(client.status.get().storage).toBe('full');

  faults.write = null;
  await clock.advance(60_100);
  expect([client.status.get().storage, waiting.status.get().persisted]).toEqual(['persistent', true]);
  expect(await storedSeqs(inner)).toEqual(rising(1, 13));
  expect((await inner.conversation('c'))!.present).toEqual([{ fromSeq: 1, toSeq: 13 }]);
  expect((await inner.open())!.position).toBe(12);
  expect((await inner.outbox()).map(({ body, state }) => [body, state])).toEqual([
    ['mine', 'accepted'],
    ['later', 'queued'],
  ]);
  client.conversation('c').send('again');
  await clock.advance(100);
  expect(await inner.outbox()).toHaveLength(3);
});

test('what came while a storage did not open joins what it had, under the same device', async () => {
  const { inner, storage, faults } = faulty();
  const first = await connect(storage);
  deliver(first.peer, 1, 4);
  await first.clock.advance(100);
  await first.client.close();
  const { device } = first.client;

  faults.open = new Error('not now');
  const { client, clock, peer, hello, log } = await connect(storage);
  expect(hello).toMatchObject({ device, position: 0 });
  expect([client.status.get().storage, log]).toEqual(['memory', ['storage: not now', 'memory']]);
  deliver(peer, 7, 9);
  const handle = client.conversation('c').send('mine');
  await clock.advance(100);
  expect(handle.status.get().persisted).toBe(false);
  await clock.advance(60_000);
  expect(client.status.get().storage).toBe('memory');

  faults.open = null;
  await clock.advance(60_100);
  expect(client.status.get().storage).toBe('persistent');
  const row = (await inner.conversation('c'))!;
  expect(row.present).toEqual([
    { fromSeq: 1, toSeq: 4 },
    { fromSeq: 7, toSeq: 9 },
  ]);
  expect(row.stale).toEqual([{ fromSeq: 1, toSeq: 4 }]);
  expect(await storedSeqs(inner)).toEqual([1, 2, 3, 4, 7, 8, 9]);
  expect((await inner.open())!.position).toBe(9);
  expect((await inner.outbox()).map(({ body }) => body)).toEqual(['mine']);
  client.disconnect();
});

test('a storage that opens late and belongs to somebody else is left alone', async () => {
  const { inner, storage, faults } = faulty();
  await inner.write({ meta: { user: 'mallory', device: 'm', position: 5, epoch: 'e1' } });
  faults.open = new Error('not now');
  const { client, clock, peer } = await connect(storage);
  deliver(peer, 1, 2);
  faults.open = null;
  await clock.advance(130_000);
  expect(client.status.get().storage).toBe('memory');
  expect(await inner.open()).toMatchObject({ user: 'mallory', position: 5 });
});

test('a newer version of the page takes the storage: the old one goes on in memory, and says so', async () => {
  const { storage, faults } = faulty();
  const { client, clock, peer, log } = await connect(storage);
  const conversation = client.conversation('c');
  faults.write = named('StorageUpgraded');
  deliver(peer, 1, 3);
  await clock.advance(100);
  expect(client.status.get().storage).toBe('lost');
  expect(log).toEqual(['upgraded: StorageUpgraded', 'lost']);
  expect(conversation.messages.get().items).toHaveLength(3);
  expect(peer.frames.findLast(({ type }) => type === 'received')).toMatchObject({ position: 3 });
});

test('a storage that is emptied under an open page begins anew, at no position', async () => {
  const { inner, storage, faults } = faulty();
  const { client, clock, peer, log, greet } = await connect(storage);
  deliver(peer, 1, 5);
  await clock.advance(100);
  const { device } = client;
  const handle = client.conversation('c').send('mine');
  await clock.advance(100);
  await inner.erase();
  faults.write = named('StorageLost');
  const open = storage.open;
  storage.open = () => {
    faults.write = null;
    return open();
  };
  deliver(peer, 6, 6);
  await clock.advance(100);
  expect(log).toEqual(['lost']);
  expect(client.status.get().storage).toBe('lost');
  expect(await inner.open()).toMatchObject({ device, position: 0 });
  const again = greet({ head: 6 });
  await clock.advance(2000);
  const { peer: next, hello } = await again;
  expect(hello).toMatchObject({ device, position: 0 });
  expect(hello['epoch']).toBeUndefined();
  deliver(next, 1, 6);
  await clock.advance(2000);
  expect(await storedSeqs(inner)).toEqual(rising(1, 6));
  expect(await inner.open()).toMatchObject({ position: 6, epoch: 'e1' });
  expect((await inner.outbox()).map(({ body }) => body)).toEqual(['mine']);
  expect(handle.status.get().state).toBe('sending');
});

test('a copy of the profile that was replaced three times becomes a device of its own, in its place', async () => {
  const { inner, storage } = faulty();
  const { client, clock, peer, log, greet } = await connect(storage);
  deliver(peer, 1, 5);
  await clock.advance(100);
  const { device } = client;
  let current = peer;
  for (let time = 1; time <= 3; time++) {
    current.end(4409, 'replaced');
    await clock.advance(100);
    if (time === 3) break;
    expect(client.status.get()).toMatchObject({ state: 'closed', code: 4409 });
    void client.connect();
    const next = greet();
    await clock.advance(100);
    ({ peer: current } = await next);
    await clock.advance(100);
  }
  const { hello } = await greet();
  await clock.advance(100);
  expect(client.device).not.toBe(device);
  expect(hello).toMatchObject({ device: client.device, position: 5, epoch: 'e1' });
  expect(log).toEqual([expect.stringMatching(/^cloned: /)]);
  expect([(await inner.open())!.device, kept.get('restante:device')]).toEqual([client.device, client.device]);
  expect(client.status.get().state).toBe('connected');
});

test('a browser is asked once to keep the storage, after the first message of its user was accepted', async () => {
  const { storage } = faulty();
  const keep = vi.fn<() => Promise<void>>(async () => {});
  const { client, clock, peer } = await connect({ ...storage, keep });
  expect(keep).not.toHaveBeenCalled();
  for (const seq of [1, 2]) {
    client.conversation('c').send(seq);
    await clock.advance(100);
    await answer(peer, seq);
    await clock.advance(100);
  }
  expect(keep).toHaveBeenCalledTimes(1);
});
