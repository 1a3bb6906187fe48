import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Client, ClientOptions } from '../../../sdk/src/client/api.ts';
import { createClient } from '../../../sdk/src/client/client.ts';
import { sqlite } from '../../../sdk/src/storage/sqlite.ts';
import type { Message } from '../../../sdk/src/wire.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';

/** The client package against a real gateway, real workers and a real storage. */

let cluster: Cluster;
let dir: string;
const clients: Client[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'restante-client-'));
  cluster = await startCluster({ env: { INBOX_MAX_ENTRIES: '100' } });
});
afterAll(async () => {
  await cluster.stop();
  await rm(dir, { recursive: true, force: true });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
});

const within = { timeout: 20_000 };

function open(user: string, options: Partial<ClientOptions> = {}): { client: Client; faults: string[] } {
  const client = createClient({
    url: cluster.url().replace(/\/v1\/ws$/, ''),
    getToken: () => cluster.token(user),
    device: 'phone',
    ...options,
  });
  clients.push(client);
  const faults: string[] = [];
  client.on('fault', ({ error, where }) => faults.push(`${where}: ${error.message}`));
  return { client, faults };
}

async function connect(user: string, options: Partial<ClientOptions> = {}) {
  const opened = open(user, options);
  await opened.client.connect();
  await vi.waitFor(() => expect(opened.client.status.get().synced).toBe(true), within);
  return opened;
}

const file = (name: string) => sqlite({ file: join(dir, `${name}.db`) });
const textsOf = (client: Client, peer: string): unknown[] =>
  client
    .direct(peer)
    .messages.get()
    .items.map((item) => ('hole' in item ? item.hole : item.body));

test('two users talk, on two devices of one, and nobody reports a fault', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const one = await connect(alice);
  const other = await connect(bob);
  const second = await connect(bob, { device: 'laptop' });
  await one.client.direct(bob).send('hello').accepted;
  await vi.waitFor(() => expect(textsOf(other.client, alice)).toEqual(['hello']), within);
  await other.client.direct(alice).send({ text: 'hi' }).accepted;
  for (const client of [one.client, other.client, second.client]) {
    const peer = client.user === alice ? bob : alice;
    await vi.waitFor(() => expect(textsOf(client, peer)).toEqual(['hello', { text: 'hi' }]), within);
  }
  expect(second.client.conversations.get()[0]).toMatchObject({ peer: alice, lastSeq: 2 });
  expect([one, other, second].flatMap(({ faults }) => faults)).toEqual([]);
});

test('a new device asks for the list, and has the names and conversations without a message here', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const group = `quiet_${alice}`;
  const made = { id: group, name: 'Quiet', members: [bob] };
  expect((await cluster.http(cluster.token(alice), 'POST', '/conversations', made)).status).toBe(201);
  const { client, faults } = await connect(bob);
  expect(client.conversations.get()).toEqual([]);
  await client.refreshList();
  expect(client.conversations.get()).toMatchObject([
    { id: group, kind: 'group', name: 'Quiet', unread: 0, last: null },
  ]);

  const { client: sender } = await connect(alice);
  await sender.conversation(group).send({ text: 'first' }).accepted;
  await vi.waitFor(() => expect(client.conversation(group).info.get().lastSeq).toBe(1), within);
  await client.refreshList();
  expect(client.conversations.get()).toMatchObject([{ name: 'Quiet', unread: 1, lastSeq: 1, last: { seq: 1 } }]);
  expect(faults).toEqual([]);
});

test('goes on where an earlier run ended, with what it had and what it missed', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const { client: sender } = await connect(alice);
  const first = await connect(bob, { storage: file(bob) });
  await sender.direct(bob).send(1).accepted;
  await vi.waitFor(() => expect(textsOf(first.client, alice)).toEqual([1]), within);
  first.client.disconnect();
  const queued = first.client.direct(alice).send('from the tunnel');
  await queued.stored;
  await first.client.close();
  for (let body = 2; body <= 5; body++) await sender.direct(bob).send(body).accepted;

  const { client, faults } = open(bob, { storage: file(bob) });
  const accepted: object[] = [];
  client.on('accepted', (one) => accepted.push(one));
  await client.connect();
  await vi.waitFor(() => expect(client.status.get().waiting).toBe(0), within);
  await vi.waitFor(() => expect(textsOf(client, alice)).toEqual([1, 2, 3, 4, 5, 'from the tunnel']), within);
  expect(accepted).toMatchObject([{ clientId: queued.clientId, message: { seq: 6 } }]);
  expect(faults).toEqual([]);
});

test('reads a gap of an inbox that was cut, and streams everything in order', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const { client: sender } = await connect(alice);
  const first = await connect(bob, { storage: file(bob) });
  await first.client.close();
  const handles = Array.from({ length: 150 }, (_, index) => sender.direct(bob).send(index + 1));
  await Promise.all(handles.map(({ accepted }) => accepted));
  await cluster.settled();

  const { client } = open(bob, { storage: file(bob) });
  const live: number[] = [];
  client.on('message', ({ message, live: isLive }) => void (isLive && live.push(message.seq)));
  await client.connect();
  const stop = new AbortController();
  const streamed: unknown[] = [];
  for await (const { body } of client.direct(alice).stream({ after: 0, signal: stop.signal })) {
    streamed.push(body);
    if (streamed.length === 150) stop.abort();
  }
  expect(streamed).toEqual(Array.from({ length: 150 }, (_, index) => index + 1));
  await vi.waitFor(() => expect(live.at(-1)).toBe(150), within);
  expect(live).toEqual(live.toSorted((one, other) => one - other));
});

test('holds everything in order over gateways that are killed', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const sender = await connect(alice, { storage: file(alice) });
  const receiver = await connect(bob);
  const bodies = Array.from({ length: 60 }, (_, index) => index + 1);
  for (const body of bodies) {
    sender.client.direct(bob).send(body);
    if (body % 20 === 0) {
      await cluster.end('web-1', 'SIGKILL');
      await cluster.start('web-1');
    }
  }
  await vi.waitFor(() => expect(sender.client.status.get().waiting).toBe(0), { timeout: 40_000 });
  await vi.waitFor(() => expect(textsOf(receiver.client, alice)).toHaveLength(50), within);
  const got: Message[] = [];
  for await (const message of receiver.client.direct(alice).stream({ after: 0 })) {
    got.push(message);
    if (got.length === 60) break;
  }
  expect(got.map(({ body }) => body)).toEqual(bodies);
}, 90_000);

test('after a loss of everything that Redis had, sends again and loses nothing', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const sender = await connect(alice);
  const receiver = await connect(bob, { storage: file(bob) });
  for (let body = 1; body <= 5; body++) await sender.client.direct(bob).send(body).accepted;
  await vi.waitFor(() => expect(textsOf(receiver.client, alice)).toEqual([1, 2, 3, 4, 5]), within);
  const resets: object[] = [];
  receiver.client.on('reset', (reset) => resets.push(reset));
  await cluster.settled();
  await cluster.wipe();
  await vi.waitFor(() => expect(resets).toHaveLength(1), { timeout: 40_000 });
  await sender.client.direct(bob).send(6).accepted;
  await vi.waitFor(
    () => expect(textsOf(receiver.client, alice).filter((one) => typeof one === 'number')).toEqual([1, 2, 3, 4, 5, 6]),
    { timeout: 30_000 },
  );
}, 120_000);

test('groups: members, names and leaving', async () => {
  const [alice, bob, carol] = [cluster.user('alice'), cluster.user('bob'), cluster.user('carol')];
  const { client } = await connect(alice);
  const other = await connect(bob);
  const group = await client.createGroup({ name: 'Team', members: [bob] });
  await group.add(carol);
  await group.send('welcome').accepted;
  await vi.waitFor(() => expect(other.client.conversation(group.id).messages.get().items).toHaveLength(2), within);
  expect((await group.members()).map(({ user }) => user).toSorted()).toEqual([alice, bob, carol].toSorted());
  await group.rename('The team');
  await vi.waitFor(() => expect(group.info.get()).toMatchObject({ name: 'The team', kind: 'group' }), within);
  await other.client.conversation(group.id).leave();
  const refused = other.client.conversation(group.id).send('after leaving');
  await expect(refused.accepted).rejects.toMatchObject({ code: 'not_found' });
});

test('reading on one device is seen on another', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const { client: sender } = await connect(alice);
  const phone = await connect(bob);
  await sender.direct(bob).send(1).accepted;
  const conversation = phone.client.direct(alice);
  await vi.waitFor(() => expect(conversation.info.get()).toMatchObject({ unread: 1, readSeq: 0 }), within);
  await conversation.read();
  const laptop = await connect(bob, { device: 'laptop' });
  await vi.waitFor(() => expect(laptop.client.direct(alice).info.get().unread).toBe(0), within);
});

test('signing out removes the device and everything here', async () => {
  const bob = cluster.user('bob');
  const { client } = await connect(bob, { storage: file(bob) });
  expect(JSON.stringify(await client.http('GET', '/devices'))).toContain('phone');
  await client.signOut();
  const again = await connect(bob, { device: 'other', storage: file(bob) });
  expect(again.client.conversations.get()).toEqual([]);
  expect(JSON.stringify(await again.client.http('GET', '/devices'))).not.toContain('phone');
});

test('an edit and a recall are seen by everybody, also by a client that was away', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const sender = await connect(alice);
  const receiver = await connect(bob, { storage: file(bob) });
  const chat = sender.client.direct(bob);
  await vi.waitFor(() => expect(sender.client.features).toContain('amend'), within);
  const { seq: first } = await chat.send('first').accepted;
  const { seq: second } = await chat.send('second').accepted;
  await vi.waitFor(() => expect(textsOf(receiver.client, alice)).toEqual(['first', 'second']), within);
  await chat.amend(first, { action: 'edit', body: 'edited' }).accepted;
  for (const [client, peer] of [
    [sender.client, bob],
    [receiver.client, alice],
  ] as const)
    await vi.waitFor(() => expect(textsOf(client, peer)).toEqual(['edited', 'second']), within);
  await receiver.client.close();
  await chat.amend(second, { action: 'recall' }).accepted;
  const again = await connect(bob, { storage: file(bob) });
  await vi.waitFor(() => expect(textsOf(again.client, alice)).toEqual(['edited', null]), within);
  expect(textsOf(sender.client, bob)).toEqual(['edited', null]);
  expect([sender, receiver, again].flatMap(({ faults }) => faults)).toEqual([]);
});
