import { expect } from 'vitest';
import type { Client } from '../../../../sdk/src/client/api.ts';
import type { createClient } from '../../../../sdk/src/client/client.ts';
import { isQuiet } from '../../../../sdk/src/intake/amended.ts';
import { holds, union } from '../../../../sdk/src/intake/ranges.ts';
import { pause } from '../../../../sdk/src/platform/clock.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Batch, Storage } from '../../../../sdk/src/storage/storage.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedServer } from '../../../../sdk/src/testing/played-server.ts';
import type { Message } from '../../../../sdk/src/wire.ts';
import { modelServer } from './modelled-server.ts';

/** One random life of a client, by its seed: messages, cuts, crashes, refusals, repetitions and gaps. */

/** Mulberry32: small, seeded, and the same on every machine. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A storage that takes its time, and ends with its process: what it has not written by then is lost. */
function mortal(inner: Storage, wait: () => Promise<void>, wrote: (batch: Batch) => void) {
  let dead = false;
  const write: Storage['write'] = async (batch) => {
    await wait();
    if (dead) await new Promise(() => {});
    await inner.write(batch);
    wrote(batch);
  };
  return { storage: { ...inner, persistent: true, write }, kill: () => void (dead = true) };
}

/** Rejects if the client has broken one of its promises. */
export async function run(seed: number, create: typeof createClient): Promise<void> {
  const next = random(seed);
  const chance = (most: number): number => Math.floor(next() * most);
  const clock = fakeClock();
  const inner = memory();
  let calm = false;
  const kept = new Set<unknown>();
  const wrong: string[] = [];
  const server = modelServer(
    chance,
    () => calm,
    (frame) => {
      if (!kept.has(frame['clientId'])) wrong.push(`${String(frame['body'])} was sent before it was stored`);
    },
  );
  let sent: { body: string; stored: boolean }[] = [];
  let live: number[] = [];
  let client!: Client;
  let kill = (): void => {};

  const start = (): void => {
    const { webSocket, nextPeer } = playedServer();
    const made = mortal(
      inner,
      () => pause(clock, chance(4) === 0 ? chance(400) : 0),
      ({ outbox }) => outbox?.put?.forEach(({ clientId }) => kept.add(clientId)),
    );
    kill = made.kill;
    live = [];
    client = create({
      url: 'wss://chat.example.com',
      getToken: () => 'token',
      device: 'phone',
      storage: made.storage,
      clock,
      random: next,
      webSocket,
    });
    const mine = live;
    client.on('message', ({ message: { seq }, live: isLive }) => {
      if (!isLive) return;
      // All gaps of this server are small, so every one is read before what lies above it.
      if (mine.length > 0 && seq !== mine.at(-1)! + 1) wrong.push(`${seq} came live after ${mine.at(-1)}`);
      mine.push(seq);
    });
    client.on('failed', ({ code }) => wrong.push(`failed by ${code}`));
    client.on('fault', ({ error, where }) => {
      if (where !== 'hole' && where !== 'sync') wrong.push(`fault ${where}: ${error.stack}`);
    });
    client.connect().catch(() => {});
    const serve = async (): Promise<void> => {
      for (;;) server.connected(await nextPeer());
    };
    void serve();
  };

  const crash = (): void => {
    kill();
    sent = sent.filter(({ stored }) => stored);
    client.disconnect();
    server.drop();
    start();
  };

  let count = 0;
  const say = (): void => {
    const one = { body: `mine ${++count}`, stored: false };
    sent.push(one);
    void client
      .conversation('c')
      .send(one.body)
      .stored.then(() => (one.stored = true));
  };

  start();
  await clock.advance(0);
  for (let step = 0; step < 80; step++) {
    const what = chance(20);
    if (what < 3) server.say(`theirs ${step}`);
    else if (what < 5) say();
    else if (what === 5) server.cut();
    else if (what === 10) server.amend();
    else if (what === 6) server.drop();
    else if (what === 7 && chance(3) === 0) crash();
    else if (what < 10) await clock.advance(chance(3000));
    else server.step();
    await clock.advance(chance(3));
    const stored = (await inner.open())?.position ?? 0;
    if ((server.received.at(-1) ?? 0) > stored) wrong.push(`received ${server.received.at(-1)}, stored ${stored}`);
    const { present, gaps } = (await inner.conversation('c')) ?? { present: [], gaps: [] };
    const here = union(present, gaps);
    for (const { position, message } of server.positions) {
      const isMissing = position <= stored && message.sender === 'bob' && !holds(here, message.seq);
      if (isMissing) wrong.push(`position ${stored} without message ${message.seq}`);
    }
  }

  const shown = (): Message[] => server.log.filter((message) => !isQuiet(message));

  // The network becomes good, and everything must come to its end.
  calm = true;
  const end = new AbortController();
  const streamed: Message[] = [];
  const reading = (async () => {
    for await (const message of client.conversation('c').stream({ after: 0, signal: end.signal }))
      streamed.push(message);
  })();
  for (let step = 0; step < 5000; step++) {
    const { waiting, synced } = client.status.get();
    // An amendment comes like a message, and is not shown.
    const highest = (await inner.conversation('c'))?.present.at(-1)?.toSeq ?? 0;
    if (waiting === 0 && synced && streamed.length === shown().length && highest === server.log.length) break;
    if (!server.step()) await clock.advance(500);
    await clock.advance(1);
  }
  end.abort();
  await clock.advance(2000);
  await reading;

  const mine = server.log.filter(({ sender }) => sender === 'alice').map(({ body }) => body);
  expect(wrong).toEqual([]);
  expect(mine).toEqual(sent.map(({ body }) => body));
  expect(streamed.map(({ seq, id }) => `${seq} ${id}`)).toEqual(shown().map(({ seq, id }) => `${seq} ${id}`));
  const here = await inner.read('c', 1, server.log.length, server.log.length);
  expect(here.map(({ body }) => body)).toEqual(server.log.map(({ body }) => body));
  expect(client.status.get()).toMatchObject({ waiting: 0, synced: true, state: 'connected' });
  const row = (await inner.conversation('c'))!;
  expect(row.present).toEqual(server.log.length === 0 ? [] : [{ fromSeq: 1, toSeq: server.log.length }]);
  client.disconnect();
}
