import { expect, test } from 'vitest';
import type { Client } from '../../../../sdk/src/client/api.ts';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { pause } from '../../../../sdk/src/platform/clock.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import type { Batch, Storage } from '../../../../sdk/src/storage/storage.ts';
import { fakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedServer } from '../../../../sdk/src/testing/played-server.ts';
import type { Message } from '../../../../sdk/src/wire.ts';
import { modelServer } from './modelled-server.ts';

/**
 * The promises of the client, whatever happens to network and process: `CLIENT_SEEDS=2000` looks longer, and
 * `CLIENT_SEED=7` repeats one.
 */

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

async function run(seed: number): Promise<void> {
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
    client = createClient({
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
    else if (what === 6) server.drop();
    else if (what === 7 && chance(3) === 0) crash();
    else if (what < 10) await clock.advance(chance(3000));
    else server.step();
    await clock.advance(chance(3));
    const stored = (await inner.open())?.position ?? 0;
    if ((server.received.at(-1) ?? 0) > stored) wrong.push(`received ${server.received.at(-1)}, stored ${stored}`);
  }

  // The network becomes good, and everything must come to its end.
  calm = true;
  const end = new AbortController();
  const streamed: Message[] = [];
  const reading = (async () => {
    for await (const message of client.conversation('c').stream({ after: 0, signal: end.signal }))
      streamed.push(message);
  })();
  for (let step = 0; step < 5000; step++) {
    const done =
      client.status.get().waiting === 0 && streamed.length === server.log.length && client.status.get().synced;
    if (done) break;
    if (!server.step()) await clock.advance(500);
    await clock.advance(1);
  }
  end.abort();
  await clock.advance(2000);
  await reading;

  const mine = server.log.filter(({ sender }) => sender === 'alice').map(({ body }) => body);
  expect(wrong).toEqual([]);
  expect(mine).toEqual(sent.map(({ body }) => body));
  expect(streamed.map(({ seq, id }) => `${seq} ${id}`)).toEqual(server.log.map(({ seq, id }) => `${seq} ${id}`));
  expect(client.status.get()).toMatchObject({ waiting: 0, synced: true, state: 'connected' });
  const row = (await inner.conversation('c'))!;
  expect(row.present).toEqual(server.log.length === 0 ? [] : [{ fromSeq: 1, toSeq: server.log.length }]);
  client.disconnect();
}

const { CLIENT_SEED: one, CLIENT_SEEDS: count = '60' } = process.env;
const seeds = one === undefined ? Array.from({ length: Number(count) }, (_, index) => index + 1) : [Number(one)];

test('all promises hold over cuts, crashes, refusals, repetitions and gaps', { timeout: 900_000 }, async () => {
  for (const seed of seeds) {
    await run(seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}`, { cause: error });
    });
  }
});
