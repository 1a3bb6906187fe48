import { describe, expect, expectTypeOf, test } from 'vitest';
import type { Client, ClientOptions, Status } from '../../../../sdk/src/client/api.ts';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { createCoreClient } from '../../../../sdk/src/client/core.ts';
import { direct } from '../../../../sdk/src/parts/direct.ts';
import { eviction } from '../../../../sdk/src/parts/eviction.ts';
import { groups } from '../../../../sdk/src/parts/groups.ts';
import { listing } from '../../../../sdk/src/parts/listing.ts';
import { quality } from '../../../../sdk/src/parts/quality.ts';
import { report } from '../../../../sdk/src/parts/report.ts';
import { search } from '../../../../sdk/src/parts/search.ts';
import { stream } from '../../../../sdk/src/parts/stream.ts';
import { views } from '../../../../sdk/src/parts/views.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Storage } from '../../../../sdk/src/storage/storage.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedServer } from '../../../../sdk/src/testing/played-server.ts';
import { message } from '../intake/played-intake.ts';

/** Clients that are made of some parts, against a server that the test plays. */

function setting(more: Partial<ClientOptions> = {}) {
  const clock = fakeClock();
  const { webSocket, greet } = playedServer();
  const options = { url: 'wss://chat.example.com', getToken: () => 'token', device: 'phone', clock, webSocket };
  return { clock, greet, options: { ...options, ...more } };
}

describe('a client without parts', () => {
  test('receives in order, confirms, and fills small gaps', async () => {
    const { clock, greet, options } = setting();
    const client = createCoreClient(options);
    const seen: number[] = [];
    client.on('message', ({ message: { seq }, live }) => live && seen.push(seq));
    const ready = client.connect();
    await clock.advance(10);
    const { peer } = await greet({ head: 0 });
    await ready;
    peer.say({ type: 'deliver', items: [{ position: 1, message: message(1) }] });
    peer.say({ type: 'gap', conversation: 'c', fromSeq: 2, toSeq: 3, position: 2 });
    peer.say({ type: 'deliver', items: [{ position: 3, message: message(4) }] });
    await clock.advance(10);
    const { id } = await peer.next('history');
    peer.say({
      type: 'history',
      re: id,
      conversation: 'c',
      messages: [message(2), message(3)],
      more: false,
      absent: [],
    });
    await clock.advance(100);
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(await peer.next('received')).toMatchObject({ position: 3 });
    expect(client.conversations.get()).toMatchObject([{ id: 'c', lastSeq: 4 }]);
    await client.close();
  });

  test('sends, and knows what became of it', async () => {
    const { clock, greet, options } = setting();
    const client = createCoreClient(options);
    const ready = client.connect();
    await clock.advance(10);
    const { peer } = await greet({ head: 0 });
    await ready;
    const sent = client.conversation('c').send('hello');
    await clock.advance(10);
    const { id, clientId } = await peer.next('send');
    peer.say({
      type: 'accepted',
      re: id,
      clientId,
      message: { id: '1-0', conversation: 'c', seq: 1, at: 5 },
      level: 'accepted',
    });
    await clock.advance(10);
    expect(await sent.accepted).toMatchObject({ seq: 1 });
    expect(client.conversation('c').info.get()).toMatchObject({ lastSeq: 1, unread: 0 });
    await client.close();
  });

  test('has no method of a part', async () => {
    const client = createCoreClient(setting().options);
    for (const name of ['direct', 'createGroup', 'search', 'report', 'refreshList'])
      expect(client).not.toHaveProperty(name);
    for (const name of ['messages', 'older', 'around', 'members', 'search', 'stream'])
      expect(client.conversation('c')).not.toHaveProperty(name);
    await client.close();
  });

  test('says offline when the device does', async () => {
    let online = true;
    let tell = (): void => {};
    const environment = {
      online: () => online,
      visible: () => true,
      watch: (listener: (change: 'online' | 'offline') => void) => {
        tell = () => listener(online ? 'online' : 'offline');
        return () => {};
      },
    };
    const { clock, greet, options } = setting({ environment });
    const client = createCoreClient(options);
    const said: string[] = [];
    client.on('quality', (level) => said.push(level));
    const ready = client.connect();
    await clock.advance(10);
    await greet({ head: 0 });
    await ready;
    online = false;
    tell();
    await clock.advance(10);
    expect(said).toEqual(['offline']);
    expect(client.status.get()).toMatchObject({ state: 'waiting', quality: 'offline' });
    await client.close();
  });
});

describe('a storage that is broken is treated the same way', () => {
  const fails = async (): Promise<never> => {
    throw new Error('broken');
  };
  const hangs = (): Promise<never> => new Promise(() => {});
  const persistent = { ...memory(), persistent: true };
  const full = async (): Promise<never> => {
    throw Object.assign(new Error('no room'), { name: 'QuotaExceededError' });
  };
  const storages: [string, Storage, Status['storage']][] = [
    ['it does not open', { ...persistent, open: fails }, 'memory'],
    ['it never answers', { ...persistent, open: hangs }, 'memory'],
    ['it is full', { ...persistent, write: full }, 'full'],
  ];
  const makers = { all: createClient, core: (options: ClientOptions) => createCoreClient(options) };

  describe.each(storages)('%s', (_, storage, state) => {
    test.each(['all', 'core'] as const)('%s', async (maker) => {
      const { clock, greet, options } = setting({ storage });
      const client = makers[maker](options);
      let user: string | null = null;
      const ready = client.connect().then(() => (user = client.user));
      await clock.advance(6000);
      const { peer } = await greet({ head: 0 });
      await clock.advance(100);
      await ready;
      expect(user).toBe('alice');
      const seen: number[] = [];
      client.on('message', ({ message: { seq } }) => seen.push(seq));
      peer.say({ type: 'deliver', items: [{ position: 1, message: message(1) }] });
      await clock.advance(100);
      expect(seen).toEqual([1]);
      expect(client.status.get()).toMatchObject({ state: 'connected', storage: state });
      client.disconnect();
    });
  });
});

test('has what its parts add, and all of them are the whole client', async () => {
  const { options } = setting();
  const some = createCoreClient({ ...options, parts: [views, groups] });
  expectTypeOf(some.conversation('c')).toHaveProperty('messages');
  expectTypeOf(some.conversation('c')).not.toHaveProperty('stream');
  expectTypeOf(some.createGroup).returns.resolves.toHaveProperty('members');
  expectTypeOf(some).not.toHaveProperty('search');
  expect(some.conversation('c').messages.get()).toMatchObject({ items: [] });

  const parts = [report, quality, eviction, views, direct, groups, search, stream, listing] as const;
  const whole: Client = createCoreClient({ ...options, parts });
  expect(Object.keys(whole).sort()).toEqual(Object.keys(createClient(options)).sort());
  await some.close();
  await whole.close();
});
