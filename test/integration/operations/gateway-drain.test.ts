import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { numbers } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { DRAIN_MS: '1000' } });
});
afterAll(() => cluster.stop());

test('a gateway that stops says so, answers what is open, and closes with 1001', async () => {
  const [alice, bob] = [
    await cluster.connect(cluster.user('alice'), { gateway: 2 }),
    await cluster.connect(cluster.user('bob'), { gateway: 2 }),
  ];
  const total = 3000;
  const send = (i: number) => ({ type: 'send', clientId: `c-${i}`, to: bob.welcome.user, kind: 'text', body: i });
  for (let i = 0; i < total; i++) alice.send(send(i));
  await alice.find('accepted');
  const ending = cluster.end('web-2');
  for (const device of [alice, bob]) {
    const { reconnectAfterMs } = await device.find('drain');
    expect(reconnectAfterMs).toBeGreaterThanOrEqual(0);
    expect(reconnectAfterMs).toBeLessThanOrEqual(1000);
  }
  expect(await Promise.all([alice.closed, bob.closed])).toMatchObject([{ code: 1001 }, { code: 1001 }]);
  await ending;
  expect((await cluster.log('web-2')).at(-1)).toMatchObject({ event: 'stopped', outcome: 'closed' });

  // What had no answer is sent again elsewhere with the same clientId: every message is there once, in its order.
  const again = await cluster.connect(alice.welcome.user, { gateway: 1 });
  const answered = new Set(alice.all('accepted').map(({ clientId }) => clientId));
  const rest = numbers(0, total).filter((i) => !answered.has(`c-${i}`));
  for (const i of rest) again.send(send(i));
  await again.until('every answer', () => again.all('accepted').length === rest.length);
  const seqs = [...alice.all('accepted'), ...again.all('accepted')].map(({ message }) => message.seq);
  expect(seqs).toEqual(numbers(1, total));

  const other = await cluster.connect(bob.welcome.user, { gateway: 1, position: 0 });
  await other.until('everything', () => {
    other.received(other.items.at(-1)?.position ?? other.gaps.at(-1)?.position ?? 0);
    return other.bodies.at(-1) === total - 1;
  });
  const bodies = other.bodies as number[];
  expect(bodies).toEqual(numbers(total - bodies.length, bodies.length));
});

test('a gateway that stops takes no new connections', async () => {
  await cluster.start('web-2');
  const device = await cluster.connect(cluster.user('alice'), { gateway: 2 });
  const ending = cluster.end('web-2');
  await device.find('drain');
  await expect(cluster.connect(cluster.user('bob'), { gateway: 2 })).rejects.toThrow(/ECONNREFUSED|refused with 503/);
  await ending;
});

test('a draining gateway says so, keeps no HTTP connection, and ends every socket in good order', async () => {
  await cluster.start('web-2');
  const devices = await Promise.all(
    numbers(0, 40).map((i) => cluster.connect(cluster.user(`crowd${i}`), { gateway: 2, mode: 'pull' })),
  );
  // One never stops asking, as a client that does not know `drain` does: its socket is closed with a code all the same.
  const restless = devices[0]!;
  restless.socket.on('message', () => restless.socket.readyState === 1 && restless.send({ type: 'ping' }));
  restless.send({ type: 'ping' });
  const health = cluster.url(2).replace('ws:', 'http:').replace('/v1/ws', '/readyz');

  const ending = cluster.end('web-2');
  await Promise.race(devices.map((device) => device.find('drain')));
  const readiness = await fetch(health);
  expect(readiness.status).toBe(503);
  expect(await readiness.json()).toEqual({ ready: false, reason: 'stopping' });
  expect(readiness.headers.get('connection')).toBe('close');

  expect(new Set((await Promise.all(devices.map(({ closed }) => closed))).map(({ code }) => code))).toEqual(
    new Set([1001]),
  );
  expect(devices.map((device) => device.all('drain').length)).toEqual(devices.map(() => 1));
  // Everybody has a time of its own, so that they do not come back at once.
  expect(new Set(devices.map((device) => device.all('drain')[0]!.reconnectAfterMs)).size).toBeGreaterThan(20);
  await ending;
  expect((await cluster.log('web-2')).at(-1)).toMatchObject({ event: 'stopped', outcome: 'closed' });
});

/** Rejects as long as the port takes connections. */
async function notListening(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } catch {
    return;
  } finally {
    socket.destroy();
  }
  throw new Error(`port ${port} still takes connections`);
}

test('an HTTP request that is on its way when the gateway stops listening is still answered', async () => {
  await cluster.start('web-2');
  const device = await cluster.connect(cluster.user('alice'), { gateway: 2 });
  const body = JSON.stringify({ clientId: 'late', to: cluster.user('bob'), kind: 'text', body: 'still taken' });
  const port = Number(new URL(cluster.url(2)).port);
  const posting = request({
    host: '127.0.0.1',
    port,
    path: '/v1/messages',
    method: 'POST',
    headers: {
      authorization: `Bearer ${cluster.token(device.welcome.user)}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    },
  });
  const answered = once(posting, 'response') as Promise<[IncomingMessage]>;
  posting.write(body.slice(0, 20));
  const ending = cluster.end('web-2');
  await device.closed;
  await vi.waitFor(() => notListening(port), { timeout: 15_000, interval: 5 });
  posting.end(body.slice(20));
  const [answer] = await answered;
  expect(answer.statusCode).toBe(201);
  answer.resume();
  await ending;
});
