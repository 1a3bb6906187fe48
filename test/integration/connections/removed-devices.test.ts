import { afterAll, beforeAll, expect, test } from 'vitest';
import { createInboxes } from '../../../shared/redis/inboxes/inboxes.ts';
import { keepScriptsLoaded } from '../../../shared/redis/scripts.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { duplicateOf } from '../../support/redis-connection.ts';
import { nowSeconds } from '../../support/token.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, fanout: false, archive: false });
});
afterAll(() => cluster?.stop());

const remove = (token: string, device: string) => cluster.http(token, 'DELETE', `/devices/${device}`);

/** How a hello on the second gateway ends: `welcome`, or the code of the error and of the close. */
async function hello(token: string, device: string): Promise<unknown> {
  const opened = await openDevice(cluster.url(2));
  opened.send({ type: 'hello', token, device });
  const answer = await Promise.race([opened.find('welcome'), opened.find('error')]);
  if (answer.type === 'error') return [answer.code, (await opened.closed).code];
  opened.socket.terminate();
  return 'welcome';
}

test('a removed device is closed, its old tokens are refused, and a new one is good', async () => {
  const user = cluster.user('alice');
  const bound = cluster.token(user, { dev: 'stolen' });
  const undated = cluster.token(user, { dev: 'stolen', iat: undefined });
  const unbound = cluster.token(user);
  const stolen = await openDevice(cluster.url(2));
  stolen.send({ type: 'hello', token: bound, device: 'stolen' });
  await stolen.find('welcome');
  expect((await cluster.http(undated, 'GET', '/devices')).status).toBe(200);

  expect((await remove(unbound, 'stolen')).status).toBe(204);
  expect(await stolen.closed).toMatchObject({ code: 4403 });
  const [boundAfter, unboundAfter] = [cluster.token(user, { dev: 'stolen' }), cluster.token(user)];
  for (const token of [bound, undated, unbound])
    expect(await hello(token, 'stolen')).toEqual(['unauthenticated', 4401]);
  for (const token of [bound, undated]) {
    expect(await cluster.http(token, 'GET', '/devices')).toMatchObject({
      status: 401,
      body: { error: { code: 'unauthenticated' } },
    });
  }
  // The user's other devices go on.
  expect((await cluster.http(unbound, 'GET', '/devices')).status).toBe(200);
  expect(await hello(unbound, 'phone')).toBe('welcome');
  for (const token of [boundAfter, unboundAfter]) {
    expect(await hello(token, 'stolen')).toBe('welcome');
    expect((await cluster.http(token, 'GET', '/devices')).status).toBe(200);
  }
});

test('a token of before does not prolong a connection of a device that was removed and came back', async () => {
  const user = cluster.user('bob');
  const before = cluster.token(user);
  (await cluster.connect(user, { device: 'web' })).socket.terminate();
  expect((await remove(before, 'web')).status).toBe(204);
  const device = await cluster.connect(user, { device: 'web' });
  expect(await device.request({ type: 'reauth', token: before }, 'error')).toMatchObject({ code: 'unauthenticated' });
  expect(await device.request({ type: 'reauth', token: cluster.token(user) }, 'ok')).toMatchObject({
    expiresAt: expect.any(Number),
  });
});

test('a token that is bound to a device removes that one only', async () => {
  const user = cluster.user('carol');
  for (const device of ['phone', 'web']) await cluster.connect(user, { device });
  const bound = cluster.token(user, { dev: 'web' });
  for (const device of ['phone', 'never-seen']) {
    expect(await remove(bound, device)).toMatchObject({ status: 403, body: { error: { code: 'forbidden' } } });
  }
  expect((await remove(bound, 'web')).status).toBe(204);
  expect((await remove(bound, 'web')).status).toBe(401);
  const listed = await cluster.http(cluster.token(user), 'GET', '/devices');
  expect(listed.body).toMatchObject({ devices: [{ device: 'phone' }] });
});

test('a device that is not known revokes nothing', async () => {
  const user = cluster.user('dora');
  const bound = cluster.token(user, { dev: 'tablet' });
  expect((await remove(cluster.token(user), 'tablet')).status).toBe(404);
  expect(await hello(bound, 'tablet')).toBe('welcome');
});

test('however many devices were removed, what is kept is bounded, and no token of before comes back', async () => {
  const user = cluster.user('erin');
  const { keys } = cluster;
  const redis = keepScriptsLoaded(await duplicateOf(cluster.redis));
  const inboxes = createInboxes(
    redis,
    keys,
    { inboxRetentionMs: 1, importantRetentionMs: 1 },
    { load: async () => undefined, closed: () => undefined },
  );
  const first = nowSeconds() - 1000;
  for (let i = 0; i < 130; i++) {
    await redis.hset(keys.devices(user), `device-${i}`, '0 1');
    expect(await inboxes.forget(user, `device-${i}`, first + i)).toBe('offline');
  }
  redis.disconnect();
  expect(await cluster.redis.hlen(keys.revokedDevices(user))).toBe(100);
  const asked = async (device: number, iat: number) =>
    (await cluster.http(cluster.token(user, { dev: `device-${device}`, iat }), 'GET', '/devices')).status;
  for (const device of [0, 29, 30, 129]) expect(await asked(device, first + device - 1)).toBe(401);
  for (const device of [0, 29, 30, 129]) expect(await asked(device, first + 129)).toBe(200);
});
