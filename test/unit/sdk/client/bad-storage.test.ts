import { expect, test } from 'vitest';
import { createClient } from '../../../../sdk/src/client/client.ts';
import type { OutboxEntry } from '../../../../sdk/src/outbox/entry.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import { newRow } from '../../../../sdk/src/storage/row.ts';
import type { ConversationRow, Storage } from '../../../../sdk/src/storage/storage.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedServer } from '../../../../sdk/src/testing/played-server.ts';
import { message } from '../intake/played-intake.ts';

/** A client on a storage with things in it that a correct one would not have left. */

const meta = { user: 'alice', device: 'phone', position: 5, epoch: 'e1' };
const entry = (clientId: string, order: number, more: Partial<OutboxEntry> = {}): OutboxEntry => ({
  clientId,
  lane: 'c',
  type: 'send',
  kind: 'text',
  body: clientId,
  class: 'normal',
  priority: 'normal',
  order,
  queuedAt: 1,
  state: 'queued',
  attempts: 0,
  ...more,
});

async function connect(storage: Storage, welcome = {}, start?: number) {
  const clock = fakeClock(start);
  const { webSocket, greet } = playedServer();
  const faults: string[] = [];
  const client = createClient({ url: 'wss://chat.example.com', getToken: () => 'token', clock, storage, webSocket });
  client.on('fault', ({ error, where }) => faults.push(`${where}: ${error.message}`));
  const ready = client.connect();
  await clock.advance(10);
  const { peer, hello } = await greet(welcome);
  await ready;
  await clock.advance(100);
  return { client, clock, peer, hello, faults };
}

test('a position above the head of the server begins at the start with the reset that it brings', async () => {
  const storage = memory();
  await storage.write({ meta: { ...meta, position: 1_000_000 } });
  const { client, hello, faults } = await connect(storage, { reset: true, head: 0, epoch: 'e2' });
  expect(hello).toMatchObject({ position: 1_000_000, epoch: 'e1' });
  expect(client.status.get().synced).toBe(true);
  expect(await storage.open()).toMatchObject({ position: 0, epoch: 'e2' });
  expect(faults).toEqual([]);
});

test('an entry of the outbox without its text is sent as it is, and its refusal fails it alone', async () => {
  const storage = memory();
  const { body: _, ...broken } = entry('broken', 1);
  await storage.write({ meta, outbox: { put: [broken as OutboxEntry, entry('good', 2)] } });
  const { client, peer, clock } = await connect(storage);
  const first = await peer.next('send');
  peer.say({ type: 'error', re: first.re ?? first['id'], code: 'bad_request', message: 'no body', retryable: false });
  await clock.advance(100);
  expect(await peer.next('send')).toMatchObject({ clientId: 'good' });
  expect(client.sent('broken')!.status.get().state).toBe('failed');
});

test('ten thousand messages that wait are loaded and counted at once', async () => {
  const storage = memory();
  await storage.write({ meta, outbox: { put: Array.from({ length: 10_000 }, (_, i) => entry(`waits-${i}`, i + 1)) } });
  const { client, peer, clock } = await connect(storage);
  expect(client.status.get().waiting).toBe(10_000);
  const first = await peer.next('send');
  const at = { id: 'm1', conversation: 'c', seq: 1, at: 1 };
  peer.say({ type: 'accepted', re: first['id'], clientId: 'waits-0', duplicate: false, message: at });
  await clock.advance(100);
  expect(client.status.get().waiting).toBe(9999);
});

test('a clock that stands in 1970 harms nothing', async () => {
  const { client, peer, clock, faults } = await connect(memory(), {}, 0);
  peer.say({ type: 'deliver', items: [{ position: 1, message: message(1, { at: 1_800_000_000_000 }) }] });
  client.conversation('c').send('mine');
  await clock.advance(100);
  expect(await peer.next('send')).toMatchObject({ body: 'mine' });
  expect(client.conversations.get()).toMatchObject([{ lastSeq: 1 }]);
  expect(faults).toEqual([]);
});

test('a row of an older version without the newer fields is completed', async () => {
  const storage = memory();
  const { indexed: _, bytes: __, ...old } = newRow('c', 'e1');
  const present = [{ fromSeq: 1, toSeq: 2 }];
  await storage.write({
    meta,
    conversations: [{ ...old, present, lastSeq: 2, at: 9 } as unknown as ConversationRow],
    messages: [message(1), message(2)],
  });
  const { client, peer, clock, faults } = await connect(storage);
  peer.say({ type: 'deliver', items: [{ position: 6, message: message(3) }] });
  await clock.advance(10_000);
  expect((await storage.conversation('c'))!).toMatchObject({ indexed: [], present: [{ fromSeq: 1, toSeq: 3 }] });
  expect(client.conversations.get()).toMatchObject([{ lastSeq: 3 }]);
  expect(faults).toEqual([]);
});

test('a message that no row names is not taken for present', async () => {
  // A process that ended while it caught up leaves texts without their rows.
  const storage = memory();
  await storage.write({ meta, messages: [message(1), message(2)] });
  const { client, peer, clock } = await connect(storage);
  peer.say({ type: 'gap', position: 6, conversation: 'c', fromSeq: 1, toSeq: 2 });
  await clock.advance(100);
  const reading = client.conversation('c').around(2);
  expect(await peer.next('history')).toMatchObject({ conversation: 'c', after: 0 });
  client.disconnect();
  void reading;
});
