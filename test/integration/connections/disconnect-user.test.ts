import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { nowSeconds } from '../../support/token.ts';

let cluster: Cluster;
let service: string;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, fanout: false, archive: false });
  service = cluster.token('backend', { scope: 'service' });
});
afterAll(() => cluster.stop());

const disconnect = (user: string, token = service) => cluster.http(token, 'POST', `/users/${user}/disconnect`);

test("every connection of the user is closed with 4403, wherever it is, and nobody else's", async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const devices = await Promise.all(
    [1, 2].map((gateway) => cluster.connect(alice, { device: `device-${gateway}`, gateway })),
  );
  const other = await cluster.connect(bob);
  expect((await disconnect(alice)).status).toBe(204);
  for (const device of devices) expect(await device.closed).toMatchObject({ code: 4403 });
  expect(await other.request({ type: 'ping' }, 'pong')).toMatchObject({ head: 0 });
});

test('tokens from before are refused by hello and HTTP, those issued afterwards are good', async () => {
  const user = cluster.user('carol');
  // Issued in the very second of the call.
  const [before, undated] = [cluster.token(user), cluster.token(user, { iat: undefined })];
  expect((await cluster.http(undated, 'GET', '/devices')).status).toBe(200);
  await disconnect(user);
  const after = cluster.token(user);
  for (const token of [before, undated]) {
    expect((await cluster.http(token, 'GET', '/devices')).status).toBe(401);
    const device = await openDevice(cluster.url(2));
    device.send({ type: 'hello', token, device: 'phone' });
    expect(await device.closed).toMatchObject({ code: 4401 });
    expect(device.all('error')).toMatchObject([{ code: 'unauthenticated', retryable: false }]);
  }
  expect((await cluster.http(after, 'GET', '/devices')).status).toBe(200);
  const device = await openDevice(cluster.url(2));
  device.send({ type: 'hello', token: after, device: 'phone' });
  await device.find('welcome');
  expect(await device.request({ type: 'reauth', token: before }, 'error')).toMatchObject({ code: 'unauthenticated' });
  expect(await device.request({ type: 'reauth', token: after }, 'ok')).toMatchObject({ expiresAt: expect.any(Number) });
  device.socket.terminate();
});

test('a second disconnect changes nothing, and one of an unknown user succeeds', async () => {
  const nobody = cluster.user('nobody');
  expect((await Promise.all([disconnect(nobody), disconnect(nobody)])).map(({ status }) => status)).toEqual([204, 204]);
  expect((await cluster.http(cluster.token(nobody), 'GET', '/devices')).status).toBe(200);
});

test("a back end's token stays good, also one of the same name", async () => {
  await disconnect('backend');
  expect((await disconnect('backend')).status).toBe(204);
});

test('only a back end may, and a name must be one', async () => {
  const user = cluster.user('dora');
  expect(await disconnect(user, cluster.token(user))).toMatchObject({
    status: 403,
    body: { error: { code: 'forbidden' } },
  });
  expect(await disconnect('no%20name')).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
  expect((await cluster.http(cluster.token(user, { iat: nowSeconds() - 60 }), 'GET', '/devices')).status).toBe(200);
});
