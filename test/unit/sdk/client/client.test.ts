import { expect, test, vi } from 'vitest';
import type { Conversation } from '../../../../sdk/src/client/api.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import { accept, connected, deliver, inShort, openClient, played, playServerForClients } from './played-client.ts';

playServerForClients();

const shows = (conversation: Conversation, items: unknown[]) =>
  vi.waitFor(() => expect(inShort(conversation.messages.get().items)).toEqual(items));

test('shows what comes, and what is sent until it is accepted and after', async () => {
  const { client, peer, log } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 1, 2);
  await shows(conversation, [1, 2]);
  const handle = conversation.send('mine');
  await shows(conversation, [1, 2, 'sending mine']);
  expect(client.status.get().waiting).toBe(1);
  await accept(peer, 3);
  await expect(handle.accepted).resolves.toMatchObject({ seq: 3 });
  await shows(conversation, [1, 2, 3]);
  expect(client.status.get()).toMatchObject({ state: 'connected', waiting: 0, storage: 'memory' });
  await vi.waitFor(() => expect(log).toEqual(['1', '2', 'accepted 3', '3']));
});

test('says received for what it has, and begins there with the next connection', async () => {
  const { peer } = await connected();
  deliver(peer, 1, 2);
  expect(await peer.next('received')).toEqual({ type: 'received', position: 2 });
  peer.socket.terminate();
  const { hello } = await played().greet();
  expect(hello).toMatchObject({ position: 2, epoch: 'e1', mode: 'push' });
});

test('sends again what had no answer, and what the server may have lost', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  const [one, two] = [conversation.send('one'), conversation.send('two')];
  await accept(peer, 1, 1000);
  await one.accepted;
  await peer.next('send');
  peer.socket.terminate();
  const next = await played().greet({ epoch: 'e2', reset: true, lostSince: 900, head: 0 });
  const ids: unknown[] = [];
  for (const seq of [4, 5]) {
    const sends = () => next.peer.frames.filter(({ type }) => type === 'send');
    await vi.waitFor(() => expect(sends()).toHaveLength(seq - 3));
    ids.push(sends().at(-1)!['clientId']);
    await accept(next.peer, seq);
    await vi.waitFor(() => expect(client.status.get().waiting).toBe(5 - seq));
  }
  expect(ids).toEqual([one.clientId, two.clientId]);
  await shows(conversation, ['2-3 unloaded', 4, 5]);
});

test('refuses a token of another user than the storage, and writes nothing', async () => {
  const storage = memory();
  const first = await connected({ storage });
  await first.client.close();
  const { client, log } = openClient({ storage });
  await client.connect();
  await played().greet({ user: 'mallory' });
  await vi.waitFor(() => expect(client.status.get()).toMatchObject({ state: 'closed', reason: 'other_user' }));
  expect(log).toEqual(['fault other_user: the storage belongs to alice, the token to mallory']);
  expect(client.user).toBe('alice');
});

test('shows the list and what waits before there is a network', async () => {
  const storage = memory();
  const first = await connected({ storage });
  deliver(first.peer, 1, 2);
  await first.peer.next('received');
  first.client.disconnect();
  first.client.conversation('c').send('later');
  await vi.waitFor(async () => expect(await storage.outbox()).toHaveLength(1));
  await first.client.close();

  const { client } = openClient({ storage, url: 'ws://127.0.0.1:1' });
  await client.connect();
  expect(client.conversations.get()).toMatchObject([{ id: 'c', lastSeq: 2, last: { seq: 2 } }]);
  await shows(client.conversation('c'), [1, 2, 'queued later']);
});

test('a direct conversation is one thing, by its user and by its id', async () => {
  const { client, peer } = await connected();
  const direct = client.direct('bob');
  expect(client.conversation(direct.id)).toBe(direct);
  direct.send('hello');
  expect(await peer.next('send')).toMatchObject({ to: 'bob', body: 'hello' });
});

test('reads are told, and taken from other devices', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 1, 2, 3);
  await vi.waitFor(() => expect(conversation.info.get().unread).toBe(3));
  const reading = conversation.read();
  const request = await peer.next('read');
  expect(request).toMatchObject({ conversation: 'c', seq: 3 });
  peer.say({ type: 'read', re: request['id'], conversation: 'c', seq: 3 });
  await reading;
  expect(conversation.info.get()).toMatchObject({ unread: 0, readSeq: 3 });
  deliver(peer, 4);
  await vi.waitFor(() => expect(conversation.info.get().unread).toBe(1));
  peer.say({ type: 'read', conversation: 'c', seq: 4 });
  await vi.waitFor(() => expect(conversation.info.get()).toMatchObject({ unread: 0, readSeq: 4 }));
});

test('asks for the number of the server where reading ended in the middle', async () => {
  const { client, peer } = await connected({}, { features: ['reads'] });
  const conversation = client.conversation('c');
  deliver(peer, 1, 2, 3);
  await vi.waitFor(() => expect(conversation.info.get().unread).toBe(3));
  peer.say({ type: 'read', conversation: 'c', seq: 2 });
  const request = await peer.next('reads');
  expect(request).toMatchObject({ conversations: ['c'] });
  peer.say({ type: 'reads', re: request['id'], conversations: [{ conversation: 'c', readSeq: 2, unread: 1 }] });
  await vi.waitFor(() => expect(conversation.info.get()).toMatchObject({ unread: 1, readSeq: 2 }));
  deliver(peer, 4);
  await vi.waitFor(() => expect(conversation.info.get().unread).toBe(2));
});

test('a listener that throws harms no other, and stores report once for all changes of a turn', async () => {
  const { client, peer, log } = await connected();
  let reports = 0;
  client.on('message', () => {
    throw new Error('mine');
  });
  client.conversations.subscribe(() => {
    throw new Error('mine too');
  });
  client.conversations.subscribe(() => reports++);
  deliver(peer, 1, 2, 3);
  await vi.waitFor(() => expect(log).toContain('3'));
  expect(log.filter((one) => one === 'fault listener: mine')).toHaveLength(3);
  expect(reports).toBe(1);
  expect(client.conversations.get()).toBe(client.conversations.get());
});

test('a closed client rejects who waits for its user', async () => {
  const { client } = openClient({ getToken: () => 'refused' });
  const ready = client.connect();
  (await played().nextPeer()).socket.close(4403);
  await expect(ready).rejects.toThrow('closed');
});

test('asks for the numbers of all conversations that are shown, in one request of each connection', async () => {
  const { client, peer } = await connected({}, { features: ['reads'] });
  deliver(peer, 1, 2, 3);
  const shown = client.conversation('c');
  shown.open();
  const alone = await peer.next('reads');
  expect(alone).toMatchObject({ conversations: ['c'] });
  peer.say({ type: 'reads', re: alone['id'], conversations: [] });
  client.disconnect();
  client.conversation('other').open();
  client.conversation('unseen');
  void client.connect();
  const { peer: next } = await played().greet({ head: 0, features: ['reads'] });
  const request = await next.next('reads');
  expect(request).toMatchObject({ conversations: ['c', 'other'] });
  const broken = [
    null,
    { conversation: 'c', unread: -1, readSeq: 1 },
    { conversation: 'unseen', unread: 7, readSeq: 0 },
  ];
  const answers = [...broken, { conversation: 'c', unread: 1, readSeq: 3 }];
  next.say({ type: 'reads', re: request['id'], conversations: answers });
  await vi.waitFor(() => expect(shown.info.get()).toMatchObject({ unread: 1, readSeq: 3 }));
  expect(client.conversation('unseen').info.get().unread).toBe(0);
});
