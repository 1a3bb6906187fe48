import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import WebSocket from 'ws';
import type { Client, ClientOptions } from '../../../../sdk/src/client/api.ts';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Storage } from '../../../../sdk/src/storage/storage.ts';
import { sharedTabs } from '../../../../sdk/src/tabs/shared-tabs.ts';
import { type PlayedServer, playServer } from '../../../support/played-server.ts';
import { accept, deliver, inShort } from '../client/played-client.ts';

/** Clients of one process as tabs: with the locks and channels of Node, on one storage, against a played server. */

let server: PlayedServer;
let clients: Client[];
let shared: Storage;
let count = 0;

beforeEach(async () => {
  clients = [];
  // What ends with a tab is its handle, not the storage.
  shared = Object.assign(memory(), { name: `tabs-${process.pid}-${++count}`, close: async () => {} });
  server = await playServer();
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await server.close();
});

function openTab(options: Partial<ClientOptions> = {}) {
  const log: string[] = [];
  const client = createClient({
    url: server.url,
    getToken: () => 'token',
    webSocket: WebSocket,
    storage: shared,
    tabs: sharedTabs(),
    ...options,
  });
  clients.push(client);
  client.on('message', ({ message: { seq }, live }) => log.push(live ? String(seq) : `(${seq})`));
  client.on('accepted', ({ message: { seq } }) => log.push(`accepted ${seq}`));
  client.on('failed', ({ code }) => log.push(`failed ${code}`));
  client.on('fault', ({ error, where }) => log.push(`fault ${where}: ${error.message}`));
  return { client, log };
}

async function twoTabs() {
  const leader = openTab();
  const ready = leader.client.connect();
  const { peer, hello } = await server.greet({ head: 0 });
  await ready;
  const follower = openTab();
  await follower.client.connect();
  await vi.waitFor(() => expect(follower.client.status.get()).toMatchObject({ state: 'connected', leader: false }));
  return { leader, follower, peer, hello };
}

test('one tab has the socket, and both show what comes and what each of them sends', async () => {
  const { leader, follower, peer } = await twoTabs();
  expect(leader.client.status.get()).toMatchObject({ leader: true, state: 'connected' });
  expect(follower.client.user).toBe('alice');
  const views = [leader, follower].map(({ client }) => client.conversation('c').messages);
  const bothShow = (items: unknown[]) =>
    vi.waitFor(() => expect(views.map((view) => inShort(view.get().items))).toEqual([items, items]));
  deliver(peer, 1, 2);
  await bothShow([1, 2]);
  const handle = follower.client.conversation('c').send('mine');
  await bothShow([1, 2, 'sending mine']);
  await accept(peer, 3);
  await expect(handle.accepted).resolves.toMatchObject({ seq: 3 });
  await bothShow([1, 2, 3]);
  await vi.waitFor(() => expect(follower.log).toEqual(leader.log));
  expect(leader.log.toSorted()).toEqual(['1', '2', '3', 'accepted 3']);
});

test('when the leader closes, another takes over behind what is stored, and commands are repeated', async () => {
  const { leader, follower, peer } = await twoTabs();
  deliver(peer, 1, 2);
  await vi.waitFor(() => expect(follower.log).toEqual(['1', '2']));
  follower.client.conversation('c').send('late');
  const request = follower.client.request({ type: 'members' });
  const reading = follower.client.conversation('c').read(2);
  await peer.next('members');
  await peer.next('read');
  await leader.client.close();
  const next = await server.greet({ head: 2 });
  expect(next.hello).toMatchObject({ position: 2, epoch: 'e1' });
  await expect(request).rejects.toThrow('the connection ended');
  const again = await next.peer.next('read');
  next.peer.say({ type: 'read', re: again['id'], conversation: 'c', seq: 2 });
  await reading;
  await accept(next.peer, 3);
  await vi.waitFor(() => expect(follower.client.status.get()).toMatchObject({ leader: true, waiting: 0 }));
  expect(follower.log.filter((one) => one.startsWith('fault'))).toEqual([]);
});

const channelOf = () => new BroadcastChannel(`restante:1:${shared.name}`);
const connection = { status: { state: 'connected' }, synced: true, quality: 'good', features: [], aheadMs: 0 };

test('a tab that missed what the leader told reads the storage again, and shows each message once', async () => {
  const { leader, follower, peer } = await twoTabs();
  const view = follower.client.conversation('c').messages;
  deliver(peer, 1);
  await vi.waitFor(() => expect(inShort(view.get().items)).toEqual([1]));
  // Any tab of the origin can say so: the next news seem to have been missed.
  const channel = channelOf();
  const { term } = (await shared.open())!;
  channel.postMessage({ type: 'lead', from: 'x', term, count: 999, connection });
  deliver(peer, 2, 3);
  await vi.waitFor(() => expect(inShort(view.get().items)).toEqual([1, 2, 3]));
  await vi.waitFor(() => expect(follower.log).toEqual(['1', '2', '3']));
  expect(leader.log).toEqual(['1', '2', '3']);
  channel.close();
});

test('a leader that hears of a newer one gives up its socket, and what is sent goes out all the same', async () => {
  const { leader, follower, peer } = await twoTabs();
  const ended = new Promise((resolve) => peer.socket.once('close', resolve));
  const channel = channelOf();
  channel.postMessage({ type: 'lead', from: 'x', term: 50, count: 0, connection });
  await ended;
  const handle = leader.client.conversation('c').send('mine');
  const next = await server.greet({ head: 0 });
  expect((await shared.open())!.term).toBeGreaterThan(50);
  await accept(next.peer, 1);
  await expect(handle.accepted).resolves.toMatchObject({ seq: 1 });
  const statuses = () => [leader, follower].map(({ client }) => client.status.get());
  await vi.waitFor(() => expect(statuses().filter((one) => one.leader)).toHaveLength(1));
  await vi.waitFor(() => expect(statuses().map(({ waiting }) => waiting)).toEqual([0, 0]));
  await vi.waitFor(() => expect(follower.log.toSorted()).toEqual(['1', 'accepted 1']));
  channel.close();
});
