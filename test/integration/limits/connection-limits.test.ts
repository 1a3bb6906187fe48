import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';

let cluster: Cluster;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await cluster?.stop();
});

const start = async (env: Record<string, string>) =>
  void (cluster = await startCluster({ fanout: false, archive: false, env }));

/** A connection that says this, and what comes back. `ended` resolves with the milliseconds that it lived. */
async function dial(says = '') {
  const { hostname, port } = new URL(cluster.url());
  const socket = connect(Number(port), hostname);
  sockets.push(socket);
  const begun = performance.now();
  const heard: Buffer[] = [];
  socket.on('data', (data) => heard.push(data)).on('error', () => undefined);
  const ended = new Promise<number>((resolve) => socket.once('close', () => resolve(performance.now() - begun)));
  await Promise.race([once(socket, 'connect'), ended]);
  if (says !== '') socket.write(says);
  const text = () => Buffer.concat(heard).toString();
  return {
    socket,
    ended,
    text,
    async answer() {
      while (!text().includes('\r\n\r\n') && !socket.closed) await Promise.race([once(socket, 'data'), ended]);
      return text();
    },
  };
}

const get = (path: string, headers: string[] = []) =>
  `GET ${path} HTTP/1.1\r\n${['Host: gateway', ...headers].join('\r\n')}\r\n\r\n`;
const upgrade = (headers: string[] = []) =>
  get('/v1/ws', [
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...headers,
  ]);
const statusOf = async (says: string): Promise<number> => Number((await (await dial(says)).answer()).split(' ')[1]);

/** What is asked of a gateway at a bound. */
const healthy = async () =>
  expect(await Promise.all(['/livez', '/readyz', '/metrics'].map((path) => statusOf(get(path))))).toEqual([
    200, 200, 200,
  ]);

describe('connections of one address that have not said hello', () => {
  test('are bounded; those that have do not count, and the health routes are answered', async () => {
    await start({ MAX_UNAUTHENTICATED_PER_ADDRESS: '20' });
    const user = cluster.user('alice');
    const welcomed = await Promise.all(
      Array.from({ length: 15 }, (_, i) => cluster.connect(user, { device: `device-${i}` })),
    );
    const waiting = [];
    // The helper's own requests may still hold connections that are kept alive.
    for (let i = 0; i < 20; i++) waiting.push(await dial(i % 2 === 0 ? upgrade() : ''));
    expect(await statusOf(upgrade())).toBe(429);
    const refused = await (await dial(get('/v1/devices'))).answer();
    expect(refused).toMatch(/^HTTP\/1\.1 429 [^]*retry-after: 1\r\n[^]*connection: close\r\n/i);
    expect(refused).toContain('"code":"rate_limited"');
    await healthy();
    expect(await welcomed[0]!.request({ type: 'ping' }, 'pong')).toMatchObject({ head: 0 });
    expect(await cluster.metrics('web-1')).toMatch(
      /restante_connections_refused_total\{bound="address",role="web"\} [1-9]/,
    );
    expect((await cluster.log('web-1')).find(({ event }) => event === 'connections_refused')).toMatchObject({
      bound: 'address',
      address: '127.0.0.1',
    });

    for (const { socket } of waiting.slice(0, 10)) socket.destroy();
    await expect.poll(() => statusOf(upgrade())).toBe(101);
    for (const { socket } of waiting) socket.destroy();
    await cluster.connect(user, { device: 'later' });
  });

  test('beyond the bound a silent one is cut off after two seconds, and beyond a hundred of them at once', async () => {
    await start({ MAX_UNAUTHENTICATED_PER_ADDRESS: '10' });
    for (let i = 0; i < 10; i++) await dial();
    const beyond = await Promise.all(Array.from({ length: 110 }, () => dial()));
    const lives = await Promise.all(beyond.map(({ ended }) => ended));
    expect(lives.filter((ms) => ms < 1500).length).toBeGreaterThanOrEqual(10);
    expect(Math.max(...lives)).toBeLessThan(5000);
    await healthy();
  });

  test('are told apart behind a trusted proxy, whatever a client says of itself', async () => {
    await start({ MAX_UNAUTHENTICATED_PER_ADDRESS: '5', TRUST_PROXY: '1' });
    const from = (forwarded: string) => upgrade([`X-Forwarded-For: ${forwarded}`]);
    for (let i = 0; i < 5; i++) expect(await statusOf(from('203.0.113.1'))).toBe(101);
    expect(await statusOf(from('203.0.113.1'))).toBe(429);
    expect(await statusOf(from('198.51.100.7, 203.0.113.1'))).toBe(429);
    expect(await statusOf(get('/v1/devices', ['X-Forwarded-For: 203.0.113.1']))).toBe(429);
    expect(await statusOf(get('/v1/devices', ['X-Forwarded-For: 203.0.113.2']))).toBe(401);
    expect(await statusOf(from('203.0.113.2'))).toBe(101);
    await healthy();
    // The connections of the proxy itself are not bounded by its address, and plain requests are over with their
    // answers.
    for (let i = 0; i < 12; i++) expect(await statusOf(get('/v1/devices', ['X-Forwarded-For: 203.0.113.3']))).toBe(401);
  });
});

test('connections are bounded; health routes are answered, and a free place is taken again', async () => {
  await start({ MAX_CONNECTIONS: '12' });
  const user = cluster.user('alice');
  const devices = [];
  for (let i = 0; i < 12; i++) devices.push(await dial(upgrade()));
  await Promise.all(devices.map((device) => device.answer()));
  const refused = await (await dial(upgrade())).answer();
  expect(refused).toMatch(/^HTTP\/1\.1 503 [^]*retry-after: 1\r\n/i);
  const plain = await (await dial(get('/v1/devices'))).answer();
  expect(plain).toMatch(/^HTTP\/1\.1 503 /);
  expect(plain).toContain('"code":"retry_later"');
  await healthy();
  for (const { socket } of devices.slice(0, 4)) socket.destroy();
  await expect
    .poll(() =>
      cluster.connect(user).then(
        () => 'welcome',
        () => 'refused',
      ),
    )
    .toBe('welcome');
});

test('a client that sends its headers one by one, or none, is cut off soon after ten seconds', async () => {
  await start({});
  const silent = await dial();
  const slow = await dial('GET /v1/devices HTTP/1.1\r\n');
  let over = false;
  const dripping = (async () => {
    while (!over) {
      slow.socket.write('a: b\r\n');
      // Time itself is tested: a client that goes on slowly is not given more than one that is silent.
      await pause(500);
    }
  })();
  const lives = await Promise.all([silent.ended, slow.ended]);
  over = true;
  await dripping;
  expect(Math.max(...lives)).toBeLessThan(14_000);
}, 40_000);

test('an upgrade to HTTP/2 is not taken up: its request is answered as it is', async () => {
  await start({});
  // What `curl --http2` sends.
  const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'];
  expect(await statusOf(get('/livez', h2c))).toBe(200);
  const refused = await dial(get('/v1/devices', h2c));
  expect(await refused.answer()).toMatch(/^HTTP\/1\.1 401 /);
  expect(await statusOf(get('/v1/ws', h2c))).toBe(426);
});
