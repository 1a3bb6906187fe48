import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { type SlowWayOptions, startSlowWay } from '../../../bench/client/browser/slow-way.ts';

/** The network of the benchmark in a browser. The server sends back what it hears. */

const roundTripMs = 200;
/** Timers may be early by a part of a millisecond, each way. */
const least = roundTripMs - 2;
let server: Server;

beforeAll(async () => {
  server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => void server.close());

async function openWay(options: Pick<SlowWayOptions, 'slow'> = {}) {
  const way = await startSlowWay({ to: (server.address() as AddressInfo).port, roundTripMs, ...options });
  onTestFinished(() => way.close());
  const open = async (): Promise<Socket> => {
    const socket = connect(way.port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };
  return { way, open };
}

/** How long the answer takes (ms). */
async function ask(socket: Socket, text: string): Promise<number> {
  const since = performance.now();
  socket.write(text);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toBe(text);
  return performance.now() - since;
}

test('everything takes the round trip, and comes in order', async () => {
  const { open } = await openWay();
  const socket = await open();
  expect(await ask(socket, 'one')).toBeGreaterThanOrEqual(least);
  const heard: string[] = [];
  socket.on('data', (bytes: Buffer) => heard.push(bytes.toString()));
  for (const text of ['1', '2', '3']) socket.write(text);
  while (heard.join('').length < 3) await pause(10);
  expect(heard.join('')).toBe('123');
});

test('only requests that were named are slow, and what follows on their connection', async () => {
  const { open } = await openWay({ slow: /^[A-Z]+ \/v1\// });
  const socket = await open();
  const fast = await ask(socket, 'GET /app.js HTTP/1.1');
  expect(await ask(socket, 'GET /v1/ws HTTP/1.1')).toBeGreaterThanOrEqual(least);
  expect(await ask(socket, 'a frame')).toBeGreaterThanOrEqual(least);
  expect(Math.min(fast, await ask(socket, 'GET /app.css HTTP/1.1'))).toBeLessThan(least);
});

test('what was sent while it was away arrives afterwards, unless the connection is lost', async () => {
  const { way, open } = await openWay();
  const socket = await open();
  way.away();
  const kept = ask(socket, 'kept');
  await pause(2 * roundTripMs);
  way.back();
  expect(await kept).toBeGreaterThanOrEqual(2 * roundTripMs - 2);

  const heard: Buffer[] = [];
  socket.on('data', (bytes: Buffer) => heard.push(bytes));
  way.away();
  socket.write('lost');
  await pause(roundTripMs);
  way.back({ lost: true });
  socket.write('lost as well');
  await ask(await open(), 'new');
  expect(heard).toEqual([]);
});
