import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Conversation } from '../../../sdk/src/client/api.ts';
import type { SendHandle } from '../../../sdk/src/outbox/api.ts';
import { sqlite } from '../../../sdk/src/storage/sqlite.ts';
import type { Message } from '../../../sdk/src/wire.ts';
import { openOnNetwork, synced } from '../../support/client-on-network.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { snapshot } from '../../support/older-redis.ts';
import { numbers } from '../../support/sending.ts';

/** A Redis that comes back older than it was: what it forgot is sent again, before what waited meanwhile. */

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster();
});
afterEach(() => cluster.stop());

const lines = ['web', 'fanout', 'archive'] as const;
const within = { timeout: 60_000 };

/** Everything that history has of a conversation, oldest first. */
async function historyOf(user: string, conversation: string): Promise<Message[]> {
  const all: Message[] = [];
  for (let after = 0; ; after = all.at(-1)!.seq) {
    const path = `/conversations/${conversation}/messages?after=${after}&limit=100`;
    const { status, body } = await cluster.http(cluster.token(user), 'GET', path);
    expect(status).toBe(200);
    const { messages, more } = body as { messages: Message[]; more: boolean };
    all.push(...messages);
    if (!more) return all;
  }
}

/** The bodies that a stream gives, now and later. */
function allOf(conversation: Conversation, after = 0): unknown[] {
  const bodies: unknown[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  void (async () => {
    for await (const { body } of conversation.stream({ after, signal: stop.signal })) bodies.push(body);
  })();
  return bodies;
}

/** The bodies of what a client shows as accepted. */
const shown = (conversation: Conversation): unknown[] =>
  conversation.messages.get().items.flatMap((item) => ('id' in item ? [item.body] : []));

const holes = (conversation: Conversation): object[] =>
  conversation.messages.get().items.flatMap((item) => ('hole' in item ? [item] : []));

/** A client that keeps what it has over its runs. */
const open = (user: string) =>
  openOnNetwork(cluster, user, {
    storage: sqlite({ file: join(cluster.dir, `${user}.db`) }),
    cache: { memory: 200 },
  });

/** Sends these bodies, and resolves when all are accepted. */
const accepted = (conversation: Conversation, bodies: number[]) =>
  Promise.all(bodies.map((body) => conversation.send(body).accepted));

/** Writes them without a gateway. Resolves when they are stored. */
async function queue(conversation: Conversation, bodies: number[]): Promise<SendHandle[]> {
  const handles = bodies.map((body) => conversation.send(body));
  await Promise.all(handles.map(({ stored }) => stored));
  return handles;
}

/** Nothing writes while the older Redis takes the place of this one. Gateways and archive have ended before. */
async function startWith(restore: () => Promise<void>): Promise<void> {
  await cluster.end('fanout');
  await restore();
  await Promise.all(lines.map((line) => cluster.start(line)));
}

test('what was accepted after the loss and what was queued is in history once, in the order of sending', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const [sender, receiver] = [await open(alice), await open(bob)];
  await Promise.all([sender.client.connect(), receiver.client.connect()]);
  await Promise.all([synced(sender.client), synced(receiver.client)]);
  const [chat, received] = [sender.client.direct(bob), receiver.client.direct(alice)];
  received.open();
  const resets: { lostSince?: number }[] = [];
  sender.client.on('reset', (reset) => resets.push(reset));
  const streamed = allOf(received);

  await accepted(chat, numbers(1, 5));
  await cluster.settled();
  const restore = await snapshot(cluster);
  // History has half of what Redis forgets.
  const doubtful = await accepted(chat, numbers(6, 15));
  await cluster.settled();
  await cluster.end('archive', 'SIGKILL');
  await accepted(chat, numbers(21, 15));
  await vi.waitFor(() => expect(shown(received)).toEqual(numbers(1, 35)), within);
  await cluster.end('web');
  const queued = await queue(chat, numbers(36, 30));
  await startWith(restore);

  await vi.waitFor(() => expect(resets).toHaveLength(1), within);
  expect(resets[0]!.lostSince).toBeLessThanOrEqual(doubtful[0]!.at);
  const last = await Promise.all(queued.map((handle) => handle.accepted));
  expect(sender.client.status.get().waiting).toBe(0);
  await cluster.settled();
  const all = await historyOf(bob, chat.id);
  expect(all.map(({ body }) => body)).toEqual(numbers(1, 65));
  expect(last).toMatchObject(all.slice(35).map(({ id, seq }) => ({ id, seq })));
  chat.open();
  const hole = { fromSeq: 36, toSeq: all[20]!.seq - 1 };
  for (const conversation of [chat, received]) {
    await vi.waitFor(() => expect(shown(conversation)).toEqual(numbers(1, 65)), within);
    await vi.waitFor(() => expect(holes(conversation)).toEqual([{ hole, state: 'absent' }]), within);
  }
  // One who reads along sees the repeated ones once, and so does one who begins again where it had ended.
  await vi.waitFor(() => expect(streamed).toEqual(numbers(1, 65)), within);
  const resumed = allOf(received, 35);
  await vi.waitFor(() => expect(resumed).toEqual(numbers(36, 30)), within);
  expect(resets).toHaveLength(1);
  expect([sender.faults, receiver.faults]).toEqual([[], []]);
}, 240_000);

test('a client that begins again after the loss repeats what an earlier run of it had accepted', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const { client: before } = await open(alice);
  await before.connect();
  await synced(before);
  const chat = before.direct(bob);
  await accepted(chat, numbers(1, 5));
  await cluster.settled();
  const restore = await snapshot(cluster);
  await cluster.end('archive', 'SIGKILL');
  await accepted(chat, numbers(6, 30));
  await cluster.end('web');
  await queue(chat, numbers(36, 30));
  await before.close();
  await startWith(restore);

  const { client, faults } = await open(alice);
  await client.connect();
  await vi.waitFor(() => expect(client.status.get()).toMatchObject({ waiting: 0, synced: true }), within);
  await cluster.settled();
  expect((await historyOf(bob, chat.id)).map(({ body }) => body)).toEqual(numbers(1, 65));
  const view = client.direct(bob);
  await vi.waitFor(() => expect(shown(view)).toEqual(numbers(1, 65)), within);
  expect(faults).toEqual([]);
}, 240_000);
