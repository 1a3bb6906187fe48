import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Proxy, startProxy } from '../../../../../tools/rehearsal/chaos/proxy.ts';

/** Answers every line with `<name> <line>`, and remembers what it read. */
async function startServer(name: string): Promise<{ port: number; read: string[]; ended: number; stop(): void }> {
  const sockets = new Set<Socket>();
  const state = { port: 0, read: [] as string[], ended: 0, stop: () => {} };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('end', () => (state.ended += 1));
    let rest = '';
    socket.on('data', (bytes) => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        state.read.push(line);
        socket.write(`${name} ${line}\n`);
      }
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  state.port = (server.address() as AddressInfo).port;
  state.stop = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return state;
}

type Client = { socket: Socket; pieces: string[]; text(): string; say(line: string): void; closed: Promise<string> };

function open(port: number): Client {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const pieces: string[] = [];
  let how = 'end';
  socket.on('data', (bytes) => pieces.push(bytes.toString()));
  socket.on('error', (error) => (how = (error as NodeJS.ErrnoException).code!));
  return {
    socket,
    pieces,
    text: () => pieces.join(''),
    say: (line) => void socket.write(`${line}\n`),
    closed: new Promise((resolve) => socket.once('close', () => resolve(how))),
  };
}

const told = (client: Client, text: string) => vi.waitFor(() => expect(client.text()).toBe(text), { interval: 5 });

describe('the proxy', () => {
  let server: Awaited<ReturnType<typeof startServer>>;
  let proxy: Proxy;
  const clients: Client[] = [];
  const client = (): Client => {
    const opened = open(proxy.port);
    clients.push(opened);
    return opened;
  };
  /** A client whose connection is known to work. */
  async function greeted(): Promise<Client> {
    const one = client();
    one.say('hello');
    await told(one, 'a hello\n');
    one.pieces.length = 0;
    return one;
  }

  beforeEach(async () => {
    server = await startServer('a');
    proxy = await startProxy(server.port, () => 0.5);
  });
  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.destroy();
    server.stop();
    await proxy.close();
  });

  test('passes bytes and ends both ways', async () => {
    const one = await greeted();
    expect(proxy.connections).toBe(1);
    one.socket.end('last\n');
    await vi.waitFor(() => expect(server.ended).toBe(1));
    expect(server.read).toEqual(['hello', 'last']);
    await vi.waitFor(() => expect(proxy.connections).toBe(0));
  });

  test('cut resets the open connections and serves later ones', async () => {
    const one = await greeted();
    proxy.cut();
    expect(await one.closed).toBe('ECONNRESET');
    await greeted();
  });

  test('refuse resets every connection until pass', async () => {
    const one = await greeted();
    proxy.refuse();
    expect(await one.closed).toBe('ECONNRESET');
    expect(await client().closed).toBe('ECONNRESET');
    proxy.pass();
    await greeted();
  });

  test('cutAfterRequest lets the request be done and its reply be lost', async () => {
    const [one, other] = [await greeted(), await greeted()];
    proxy.cutAfterRequest('pay');
    one.say('look');
    await told(one, 'a look\n');
    // The pattern may come in two pieces.
    one.socket.write('pa');
    await vi.waitFor(() => expect(proxy.connections).toBe(2));
    await pause(10);
    one.say('y 5');
    expect(await one.closed).toBe('ECONNRESET');
    expect(server.read.at(-1)).toBe('pay 5');
    expect(one.text()).toBe('a look\n');
    other.say('pay 6');
    await told(other, 'a pay 6\n');
  });

  test('dropReply loses so many replies, each with its connection', async () => {
    const [one, other] = [await greeted(), await greeted()];
    proxy.dropReply(1);
    one.say('x');
    expect(await one.closed).toBe('ECONNRESET');
    expect([one.text(), server.read.at(-1)]).toEqual(['', 'x']);
    other.say('y');
    await told(other, 'a y\n');
  });

  test('blackhole swallows one direction, and pass cuts what it has robbed', async () => {
    const [one, quiet] = [await greeted(), await greeted()];
    proxy.blackhole('reply');
    one.say('x');
    await vi.waitFor(() => expect(server.read.at(-1)).toBe('x'));
    proxy.pass();
    expect(await one.closed).toBe('ECONNRESET');
    expect(one.text()).toBe('');
    quiet.say('y');
    await told(quiet, 'a y\n');

    proxy.blackhole('request');
    quiet.say('z');
    await pause(50);
    expect(server.read.at(-1)).toBe('y');
    proxy.pass();
    expect(await quiet.closed).toBe('ECONNRESET');
  });

  test('delay keeps the order and takes its time', async () => {
    const one = await greeted();
    proxy.delay(40, 40);
    const began = performance.now();
    one.say('x');
    one.say('y');
    await told(one, 'a x\na y\n');
    expect(performance.now() - began).toBeGreaterThan(110);
  });

  test('pass sends at once what a delay holds', async () => {
    const one = await greeted();
    proxy.delay(60_000);
    one.say('x');
    await pause(20);
    expect(server.read).toEqual(['hello']);
    proxy.pass();
    await told(one, 'a x\n');
  });

  test('throttle lets a certain number of bytes through in a second', async () => {
    const one = await greeted();
    proxy.throttle(2000, 'request');
    const began = performance.now();
    one.say('x'.repeat(599));
    await told(one, `a ${'x'.repeat(599)}\n`);
    // 600 bytes in pieces of a tenth of a second: the last one goes after 0.2 s.
    expect(performance.now() - began).toBeGreaterThan(180);
  });

  test('slice delivers in pieces', async () => {
    const one = await greeted();
    proxy.slice(3);
    one.say('pieces');
    await told(one, 'a pieces\n');
    expect(one.pieces.length).toBeGreaterThan(1);
    expect(Math.max(...one.pieces.map(({ length }) => length))).toBeLessThanOrEqual(6);
  });

  test('halfClose ends the requests and leaves the replies', async () => {
    const one = await greeted();
    proxy.halfClose();
    await vi.waitFor(() => expect(server.ended).toBe(1));
    expect(one.socket.destroyed).toBe(false);
  });

  test('freezeAccept leaves new connections unserved until pass', async () => {
    const one = await greeted();
    proxy.freezeAccept();
    const late = client();
    late.say('late');
    one.say('x');
    await told(one, 'a x\n');
    expect(server.read).not.toContain('late');
    proxy.pass();
    await told(late, 'a late\n');
  });

  test('leads new connections elsewhere', async () => {
    const other = await startServer('b');
    const one = await greeted();
    proxy.lead(other.port);
    one.say('x');
    await told(one, 'a x\n');
    const two = client();
    two.say('y');
    await told(two, 'b y\n');
    other.stop();
  });

  test('a server that is gone ends the connection', async () => {
    server.stop();
    const one = client();
    one.socket.on('end', () => one.socket.end());
    expect(await one.closed).toMatch(/end|ECONNRESET/);
  });
});
