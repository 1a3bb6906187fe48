import { expect, test, vi } from 'vitest';
import type { ClientOptions } from '../../../../sdk/src/client/api.ts';
import { createClient } from '../../../../sdk/src/client/client.ts';
import { memory } from '../../../../sdk/src/storage/memory.ts';
import { fakeClock, type FakeClock } from '../../../../sdk/src/testing/fake-clock.ts';
import { playedServer } from '../../../../sdk/src/testing/played-server.ts';
import { playedEnvironment } from '../../../support/played-environment.ts';
import { message } from '../intake/played-intake.ts';
import { connected, deliver, played, playServerForClients } from './played-client.ts';

/** How the quality of the network shows in what the client asks for and sends. */

playServerForClients();

const pageOf = (from: number, count: number) => ({
  type: 'deliver',
  items: Array.from({ length: count }, (_, at) => ({ position: from + at, message: message(from + at) })),
});

/** Lets due timers run until something has come over the network. */
async function whileRunning<Result>(clock: FakeClock, what: Promise<Result>, stepMs = 0): Promise<Result> {
  let done = false;
  void what.then(() => (done = true));
  await vi.waitFor(async () => {
    await clock.advance(stepMs);
    expect(done).toBe(true);
  });
  return what;
}

/** Server and client in one process: nothing passes while the clock stands. */
function openOffNetwork(options: Partial<ClientOptions>) {
  const server = playedServer();
  const { webSocket } = server;
  return { server, client: createClient({ url: 'ws://played', getToken: () => 'token', webSocket, ...options }) };
}

test('asks for short pages first, and for longer ones as the network allows', async () => {
  const { peer, hello, client } = await connected({}, { features: ['paced'], head: 40 });
  expect(hello['pageItems']).toBe(20);
  peer.say(pageOf(1, 20));
  const received = await peer.next('received');
  expect(received['position']).toBe(20);
  expect(received['pageItems']).toBeGreaterThan(20);
  peer.say(pageOf(21, 20));
  await vi.waitFor(() => expect(client.status.get().synced).toBe(true));
});

test('a gateway without `paced` is not told how long pages are', async () => {
  const { peer } = await connected({}, { head: 1 });
  deliver(peer, 1);
  expect(await peer.next('received')).not.toHaveProperty('pageItems');
});

test('on a bad network without `paced` it reads the backlog itself, and then goes on with pushes', async () => {
  const clock = fakeClock();
  const { environment } = playedEnvironment();
  const { peer, client, log } = await connected(
    { clock, environment: { ...environment, rttMs: () => 3000 } },
    { head: 50 },
  );
  const { peer: reading, hello } = await whileRunning(clock, played().greet({ head: 50 }));
  expect(peer.frames[0]).toMatchObject({ type: 'hello', mode: 'push' });
  expect(hello).toMatchObject({ mode: 'lazy', position: 0 });
  // A live message has the backlog below it: it does not move the position.
  deliver(reading, 51);
  for (const [after, count] of [
    [0, 20],
    [20, 30],
  ] as const) {
    const sync = await whileRunning(clock, reading.next('sync'));
    expect(sync).toMatchObject({ after, limit: 20 });
    const { items } = pageOf(after + 1, count);
    reading.say({ type: 'page', re: sync['id'], items, gaps: [], next: after + count, more: after === 0, epoch: 'e1' });
  }
  const { hello: again } = await whileRunning(clock, played().greet({ head: 51 }));
  expect(again).toMatchObject({ mode: 'push', position: 50 });
  await vi.waitFor(() => expect(log).toContain('51'));
  expect(client.status.get().quality).toBe('bad');
});

test('after it was too slow for what was pushed it reads the backlog itself', async () => {
  const { peer } = await connected({}, { head: 50 });
  peer.socket.close(4410);
  const { hello } = await played().greet({ head: 50 });
  expect(hello['mode']).toBe('lazy');
});

test('asks regularly whether something is missing, and reads what is', async () => {
  const clock = fakeClock();
  const { client, server } = openOffNetwork({ clock });
  const log: number[] = [];
  client.on('message', ({ message: { seq } }) => log.push(seq));
  void client.connect();
  const { peer } = await server.greet({ heartbeatMs: 200_000 });
  const pings = () => peer.frames.filter(({ type }) => type === 'ping').length;
  const pong = async (head: number) =>
    peer.say({ type: 'pong', re: (await peer.next('ping'))['id'], head, epoch: 'e1' });
  await clock.advance(0);
  // It asks once the backlog is read, and then every minute.
  await pong(0);
  peer.say(pageOf(1, 1));
  await clock.advance(59_000);
  expect(pings()).toBe(1);
  await clock.advance(1000);
  expect(pings()).toBe(2);
  await pong(3);
  // Nothing comes before the next answer either.
  await clock.advance(2000);
  await pong(3);
  const sync = await peer.next('sync');
  expect(sync).toMatchObject({ after: 1 });
  peer.say({ type: 'page', re: sync['id'], items: pageOf(2, 2).items, gaps: [], next: 3, more: false, epoch: 'e1' });
  await clock.advance(58_000);
  expect(log).toEqual([1, 2, 3]);
  expect(pings()).toBe(3);
  await client.close();
});

test('a pong of another epoch brings a new connection', async () => {
  const { peer } = await connected();
  peer.say({ type: 'pong', re: (await peer.next('ping'))['id'], head: 0, epoch: 'e2' });
  const { hello } = await played().greet({ epoch: 'e2', reset: true });
  expect(hello).toMatchObject({ epoch: 'e1' });
});

test.each([
  ['without a name and without a storage is ephemeral', {}, true],
  ['with a name is not', { device: 'phone' }, undefined],
  ['with a storage is not', { storage: { ...memory(), persistent: true } }, undefined],
])('a device %s', async (_, options, ephemeral) => {
  const { client, server } = openOffNetwork(options);
  const connecting = client.connect();
  const { hello } = await server.greet();
  await connecting;
  expect(hello['ephemeral']).toBe(ephemeral);
  await client.close();
});

test('the quality is in the status, and an event', async () => {
  const { environment, report } = playedEnvironment();
  const { client } = await connected({ environment });
  const told: string[] = [];
  client.on('quality', (quality) => told.push(quality));
  expect(client.status.get().quality).toBe('good');
  report('offline');
  expect(told).toEqual(['offline']);
  expect(client.status.get()).toMatchObject({ quality: 'offline', state: 'waiting' });
});

test('typing is not told on a network that is not good', async () => {
  const { environment } = playedEnvironment();
  const poor = { ...environment, rttMs: () => 500 };
  const { peer, client } = await connected({ environment: poor }, { features: ['typing'] });
  client.conversation('c').typing();
  client.conversation('c').send('text');
  await peer.next('send');
  expect(peer.frames.map(({ type }) => type)).not.toContain('typing');
});
