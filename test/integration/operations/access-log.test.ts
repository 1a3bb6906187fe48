import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';

const token = 'the-token-of-the-desk';
let cluster: Cluster;
let service: string;
beforeAll(async () => {
  cluster = await startCluster({
    fanout: false,
    archive: false,
    env: { ADMIN_TOKEN: `another-token-of-it,${token}`, RESERVED_GROUP_PREFIX: 'team-' },
  });
  service = cluster.token('backend', { scope: 'service' });
});
afterAll(() => cluster?.stop());

const base = () =>
  cluster
    .url()
    .replace(/^ws/, 'http')
    .replace(/\/v1\/ws$/, '');
const admin = (path: string, authorization: string, method = 'GET', body?: object) =>
  fetch(`${base()}/admin${path}`, {
    method,
    headers: { authorization },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const said = async (event: string) => (await cluster.log('web-1')).filter((line) => line.event === event);
async function nothingSecret() {
  const text = JSON.stringify(await cluster.log('web-1'));
  for (const secret of [token, 'another-token-of-it', 'wrong-password', cluster.secret, service])
    expect(text).not.toContain(secret);
}

describe('in the log', () => {
  test('every change by an admin, with the address and which of the tokens it was', async () => {
    expect((await admin('/api/surge', `Bearer ${token}`, 'POST', { mode: 'calm' })).status).toBe(200);
    expect((await admin('/api/surge', `Bearer ${token}`, 'POST', { mode: 'nothing' })).status).toBe(400);
    expect((await admin('/api/dead-letters/unknown/replay', 'Bearer another-token-of-it', 'POST')).status).toBe(404);
    expect((await admin('/api/surge', `Bearer ${token}`)).status).toBe(200);
    expect(await said('admin_action')).toMatchObject([
      { address: '127.0.0.1', method: 'POST', path: '/admin/api/surge', status: 200, token: 2, mode: 'calm' },
      { path: '/admin/api/surge', status: 400, token: 2 },
      { path: '/admin/api/dead-letters/unknown/replay', status: 404, token: 1 },
    ]);
    await nothingSecret();
  });

  test('a user who asks for a route of back ends, and one whom a back end disconnects', async () => {
    const user = cluster.user('mallory');
    const own = cluster.token(user, { dev: 'phone' });
    const asks: [string, string, object?][] = [
      ['POST', '/users/victim/disconnect'],
      ['GET', '/inbox?user=victim'],
      ['DELETE', '/devices/web'],
      ['POST', '/messages', { clientId: 'c', to: 'bob', kind: 'text', body: 'x', sender: 'victim' }],
      ['POST', '/conversations', { id: 'team-42', members: [] }],
    ];
    for (const [method, path, body] of asks) expect((await cluster.http(own, method, path, body)).status).toBe(403);
    expect(await said('forbidden')).toMatchObject(
      asks.map(([method, path]) => ({
        address: '127.0.0.1',
        user,
        device: 'phone',
        service: false,
        method,
        path: `/v1${path.split('?')[0]}`,
      })),
    );
    expect((await cluster.http(service, 'POST', '/users/victim/disconnect')).status).toBe(204);
    expect(await said('user_disconnected')).toMatchObject([{ by: 'backend', user: 'victim' }]);
    await nothingSecret();
  });
});

test('ids of groups with the reserved prefix are for back ends; all others are for everybody', async () => {
  const user = cluster.user('alice');
  const own = cluster.token(user);
  const create = (by: string, id: string) => cluster.http(by, 'POST', '/conversations', { id, members: [user] });
  expect(await create(own, 'team-42')).toMatchObject({
    status: 403,
    body: { error: { code: 'forbidden', retryable: false } },
  });
  expect((await create(service, 'team-42')).status).toBe(201);
  expect((await create(own, 'team-42')).status).toBe(403);
  for (const id of ['team', 'Team-42', 'my-team-42']) expect((await create(own, id)).status).toBe(201);
  expect((await cluster.http(own, 'POST', '/conversations', { members: [] })).status).toBe(201);
});

test('200 wrong passwords are logged with their address and slowed down, and the right one is soon heard', async () => {
  const answers: Response[] = [];
  for (let i = 0; i < 200; i++)
    answers.push(
      await admin('/api/partitions', `Basic ${Buffer.from(`operator:wrong-password-${i}`).toString('base64')}`),
    );
  const statuses = answers.map(({ status }) => status);
  expect(statuses.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 401));
  const slowed = answers.filter(({ status }) => status === 429);
  expect(slowed.length).toBeGreaterThan(150);
  for (const { headers } of slowed) expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(15);
  const lines = await said('admin_refused');
  expect(lines.length).toBeGreaterThan(0);
  expect(lines[0]).toMatchObject({ address: '127.0.0.1', method: 'GET', path: '/admin/api/partitions', failures: 1 });
  // Who has not said a password is asked for one, whatever others do.
  expect((await fetch(`${base()}/admin/api/partitions`)).status).toBe(401);
  await expect
    .poll(async () => (await admin('/api/partitions', `Bearer ${token}`)).status, { timeout: 20_000, interval: 200 })
    .toBe(200);
  await nothingSecret();
}, 40_000);
