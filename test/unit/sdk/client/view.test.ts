import { expect, test, vi } from 'vitest';
import type { Conversation } from '../../../../sdk/src/client/api.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import { amendment, message } from '../intake/played-intake.ts';
import { accept, connected, deliver, history, inShort, playServerForClients } from './played-client.ts';

playServerForClients();

const shows = (conversation: Conversation, items: unknown[]) =>
  vi.waitFor(() => expect(inShort(conversation.messages.get().items)).toEqual(items));
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test('nothing is left out without a hole in its place, and looking at one reads it', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 1);
  peer.say({ type: 'gap', position: 2, conversation: 'c', fromSeq: 2, toSeq: 900 });
  deliver(peer, 901);
  await shows(conversation, [1, '2-900 unloaded', 901]);
  const around = conversation.around(500, 4);
  await shows(conversation, [1, '2-900 unloaded', 901]);
  const request = await history(peer, range(498, 502), { more: true });
  expect(request).toMatchObject({ conversation: 'c', before: 503, limit: 5 });
  await around;
  await shows(conversation, [1, '2-497 unloaded', ...range(498, 502), '503-900 unloaded', 901]);
});

test('an open conversation reads its newest messages, and older ones page by page', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 101);
  await shows(conversation, [101]);
  expect(conversation.messages.get()).toMatchObject({ older: 'more', newer: 'end' });
  const look = conversation.open();
  await history(peer, range(52, 100), { more: true });
  await vi.waitFor(() => expect(conversation.messages.get().items.length).toBeGreaterThan(0));
  const older = conversation.older(60);
  await vi.waitFor(() => expect(peer.frames.filter(({ type }) => type === 'history').length).toBeGreaterThan(1));
  await history(peer, range(41, 100).toReversed(), { more: true });
  await older;
  await shows(conversation, range(41, 101));
  look.close();
});

test('what never comes stands as absent, and the end is known', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 5);
  await shows(conversation, [5]);
  const older = conversation.older();
  await history(peer, [2], {
    absent: [
      { fromSeq: 1, toSeq: 1 },
      { fromSeq: 3, toSeq: 4 },
    ],
  });
  await older;
  await shows(conversation, [2, '3-4 absent', 5]);
  expect(conversation.messages.get().older).toBe('end');
});

test('a hole that a loss has left is gone when somebody looks, however long it is', async () => {
  const absent = { absent: [{ fromSeq: 3, toSeq: 1_000_000 }], more: true };
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 1, 2);
  peer.say({ type: 'gap', position: 3, conversation: 'c', fromSeq: 1, toSeq: 1_000_000 });
  deliver(peer, ...range(1_000_001, 1_000_030));
  const hidden = (state: string): unknown[] => [1, 2, `3-1000000 ${state}`, ...range(1_000_001, 1_000_030)];
  await shows(conversation, hidden('unloaded'));
  const around = conversation.around(1_000_000, 2);
  expect(await history(peer, [2], absent)).toMatchObject({ before: 1_000_001, limit: 2 });
  await around;
  await shows(conversation, hidden('absent'));
});

test('a hole among the messages that an open conversation shows is looked at from above', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 1, 2);
  peer.say({ type: 'gap', position: 3, conversation: 'c', fromSeq: 3, toSeq: 1_000_000 });
  deliver(peer, ...range(1_000_001, 1_000_030));
  await vi.waitFor(() => expect(conversation.info.get().lastSeq).toBe(1_000_030));
  conversation.open();
  const absent = [{ fromSeq: 3, toSeq: 1_000_000 }];
  expect(await history(peer, [1, 2], { absent })).toMatchObject({ before: 1_000_001 });
  await shows(conversation, [1, 2, '3-1000000 absent', ...range(1_000_001, 1_000_030)]);
});

test('an amendment changes the text and is not shown', async () => {
  const { client, peer, log } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 1);
  const edit = amendment(2, 1, { action: 'edit', version: 1, body: 'new' });
  peer.say({ type: 'deliver', items: [{ position: 2, message: edit }] });
  await vi.waitFor(() => expect(conversation.messages.get().items).toMatchObject([{ seq: 1, body: 'new' }]));
  await vi.waitFor(() => expect(log).toContain('amended 1'));
});

test('a message below a hole is stale until it was read again', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 1);
  peer.say({ type: 'gap', position: 2, conversation: 'c', fromSeq: 2, toSeq: 900 });
  deliver(peer, 901);
  await vi.waitFor(() => expect(conversation.messages.get().items[0]).toMatchObject({ seq: 1, stale: true }));
  conversation.open();
  await history(peer, range(851, 900), { more: true });
  const again = await history(peer, [1]);
  expect(again).toMatchObject({ before: 2 });
  await vi.waitFor(() => expect(conversation.messages.get().items[0]).not.toHaveProperty('stale'));
});

test('a message stays in the view while its acceptance is stored', async () => {
  const inner = memory();
  let held: Promise<void> | null = null;
  const storage = {
    ...inner,
    write: async (batch: Parameters<typeof inner.write>[0]) => (await held, inner.write(batch)),
  };
  const { client, peer } = await connected({ storage });
  const conversation = client.conversation('c');
  const handle = conversation.send('mine');
  await handle.stored;
  const { promise, resolve } = Promise.withResolvers<void>();
  held = promise;
  const seen: unknown[] = [];
  const note = () => seen.push(inShort(conversation.messages.get().items));
  conversation.messages.subscribe(note);
  await accept(peer, 1);
  await vi.waitFor(() => expect(handle.status.get().state).toBe('accepted'));
  note();
  expect(seen.at(-1)).toEqual(['sending mine']);
  resolve();
  await shows(conversation, [1]);
  expect(seen).not.toContainEqual([]);
});

test('a failed message stays, with its reason, until it is taken away', async () => {
  const { client, peer, log } = await connected();
  const conversation = client.conversation('c');
  const handle = conversation.send('mine');
  const { id } = await peer.next('send');
  peer.say({ type: 'error', re: id, code: 'forbidden', message: 'no', retryable: false });
  await shows(conversation, ['failed mine']);
  expect(conversation.messages.get().items).toMatchObject([{ fault: { code: 'forbidden', message: 'no' } }]);
  expect(log).toEqual(['failed forbidden']);
  handle.cancel();
  await shows(conversation, []);
});

test('a stream gives each message once, rising, without holes, from where it is told', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  deliver(peer, 1, 2);
  await shows(conversation, [1, 2]);
  const stop = new AbortController();
  const got: number[] = [];
  const reading = (async () => {
    for await (const { seq } of conversation.stream({ after: 0, signal: stop.signal })) got.push(seq);
  })();
  await vi.waitFor(() => expect(got).toEqual([1, 2]));
  peer.say({ type: 'gap', position: 3, conversation: 'c', fromSeq: 3, toSeq: 700 });
  deliver(peer, 701);
  for (let from = 3; from <= 700; from += 50) {
    const request = await peer.next('history');
    const after = Number(request['after']);
    const last = Math.min(after + Number(request['limit']), 700);
    const messages = range(after + 1, last).map((seq) => message(seq));
    peer.say({ type: 'history', re: request['id'], conversation: 'c', messages, more: true, absent: [] });
    if (last === 700) break;
  }
  await vi.waitFor(() => expect(got).toEqual(range(1, 701)));
  stop.abort();
  await reading;
});

test('a body of any kind is passed on', async () => {
  const { client, peer } = await connected();
  const conversation = client.conversation('c');
  const bodies = [null, 7, ['x'], '\ud800', '\u202e'.repeat(64)];
  const items = bodies.map((body, index) => ({ position: index + 1, message: message(index + 1, { body }) }));
  peer.say({ type: 'deliver', items });
  await vi.waitFor(() => expect(conversation.messages.get().items).toMatchObject(bodies.map((body) => ({ body }))));
});
