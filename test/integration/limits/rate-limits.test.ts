import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createSharedBudgets } from '../../../shared/redis/rate-budgets.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { type Api, apiOf, refusal, textTo } from '../../support/http-client.ts';
import { appendedEntries } from '../../support/inbox.ts';
import { openFor } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

const limits = 'create=3/1h,member=4/1h,change=3/1h,setting=3/1h,read=5/1h,frame=20/1h,hello=3/1h';
let cluster: Cluster;
let service: Api;
beforeAll(async () => {
  cluster = await startCluster({
    gateways: 2,
    archive: false,
    env: { RATE_LIMITS: limits, MAX_GROUP_MEMBERS_BY_USER: '5', SEND_RATE_PER_USER: '0' },
  });
  service = apiOf(cluster, cluster.token('backend', { scope: 'service' }));
});
afterAll(() => cluster.stop());

function limitedReply(reply: Awaited<ReturnType<Api>>, mostSeconds: number): void {
  expect(refusal(reply)).toEqual([429, 'rate_limited']);
  expect(reply.body.error!.retryable).toBe(true);
  expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(mostSeconds - 60);
  expect(Number(reply.headers.get('retry-after'))).toBeLessThanOrEqual(mostSeconds);
}

describe('over all gateways', () => {
  test('creating groups is limited; the refused one writes nothing, and nobody else is refused', async () => {
    const [user, other] = [cluster.user('alice'), cluster.user('bob')];
    const api = apiOf(cluster, cluster.token(user));
    for (let i = 0; i < 3; i++)
      expect((await api('POST', '/conversations', { members: [] }, { gateway: 1 + (i % 2) })).status).toBe(201);
    const before = await appendedEntries(cluster);
    for (const gateway of [1, 2]) limitedReply(await api('POST', '/conversations', { members: [] }, { gateway }), 1200);
    expect(await appendedEntries(cluster)).toBe(before);
    expect((await apiOf(cluster, cluster.token(other))('POST', '/conversations', { members: [] })).status).toBe(201);
    for (let i = 0; i < 10; i++)
      expect((await service('POST', '/conversations', { members: [user] })).status).toBe(201);
    expect(await cluster.metrics('web-1')).toMatch(/restante_limited_total\{budget="create",role="web"\} 1/);
  });

  test('members are limited, but leaving never', async () => {
    const [user, other] = [cluster.user('alice'), cluster.user('bob')];
    const [api, bob] = [apiOf(cluster, cluster.token(user)), apiOf(cluster, cluster.token(other))];
    const { body: group } = await api('POST', '/conversations', { members: [other] });
    const path = `/conversations/${group['id'] as string}/members`;
    for (let i = 0; i < 2; i++) {
      expect((await api('PUT', `${path}/carol`, undefined, { gateway: 1 })).status).toBe(204);
      expect((await api('DELETE', `${path}/carol`, undefined, { gateway: 2 })).status).toBe(204);
    }
    limitedReply(await api('PUT', `${path}/carol`), 900);
    limitedReply(await api('DELETE', `${path}/${other}`, undefined, { gateway: 2 }), 900);
    for (let i = 0; i < 4; i++) expect((await bob('PUT', `${path}/dora`)).status).toBe(204);
    limitedReply(await bob('PUT', `${path}/dora`), 900);
    expect((await bob('DELETE', `${path}/${other}`)).status).toBe(204);
    for (let i = 0; i < 30; i++) expect((await bob('DELETE', `${path}/${other}`)).status).toBe(404);
    expect((await api('DELETE', `${path}/${user}`)).status).toBe(204);
  });

  test('changing a conversation is limited', async () => {
    const api = apiOf(cluster, cluster.token(cluster.user('alice')));
    const { body: group } = await api('POST', '/conversations', { members: [] });
    const path = `/conversations/${group['id'] as string}`;
    for (let i = 0; i < 3; i++)
      expect((await api('PATCH', path, { name: `n${i}` }, { gateway: 1 + (i % 2) })).status).toBe(200);
    limitedReply(await api('PATCH', path, { name: 'x' }), 1200);
    for (let i = 0; i < 5; i++) expect((await service('PATCH', path, { name: `s${i}` })).status).toBe(200);
  });

  test('changing settings is limited, and a refused change changes nothing', async () => {
    const user = cluster.user('alice');
    const api = apiOf(cluster, cluster.token(user));
    for (let i = 0; i < 3; i++)
      expect((await api('PATCH', '/settings', { receipts: i % 2 > 0 }, { gateway: 1 + (i % 2) })).status).toBe(200);
    for (const gateway of [1, 2]) limitedReply(await api('PATCH', '/settings', { receipts: true }, { gateway }), 1200);
    expect((await api('GET', '/settings')).body).toMatchObject({ receipts: false, version: 3 });
    for (let i = 0; i < 5; i++)
      expect((await service('PATCH', `/settings?user=${user}`, { receipts: i % 2 > 0 })).status).toBe(200);
  });

  test('a group that a user creates or adds to has at most MAX_GROUP_MEMBERS_BY_USER', async () => {
    const user = cluster.user('alice');
    const api = apiOf(cluster, cluster.token(user));
    expect(refusal(await api('POST', '/conversations', { members: ['a', 'b', 'c', 'd', 'e'] }))).toEqual([
      413,
      'too_large',
    ]);
    const { status, body: group } = await api('POST', '/conversations', { members: ['a', 'b', 'c', 'd'] });
    expect(status).toBe(201);
    const path = `/conversations/${group['id'] as string}/members/e`;
    expect(refusal(await api('PUT', path))).toEqual([413, 'too_large']);
    expect((await service('PUT', path)).status).toBe(204);
    expect((await service('POST', '/conversations', { members: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] })).status).toBe(
      201,
    );
  });
});

describe('a bucket in Redis', () => {
  const redis = connectRedis(inject('redisUrl'));
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 4, 64);
  const budgets = createSharedBudgets(redis, keys);
  beforeAll(async () => {
    for (const user of ['alice', 'bob']) await redis.hset(keys.shardSlot(keys.shardOf(user)), await openFor(redis));
  });
  afterAll(() => redis.disconnect());

  test('takes exactly its limit at once, has room as it says, and expires when it is empty', async () => {
    const limit = { most: 7, periodMs: 700 };
    const first = await Promise.all(Array.from({ length: 20 }, () => budgets.take('create', 'alice', limit)));
    expect(first.filter((wait) => wait === 0)).toHaveLength(7);
    for (const wait of first) expect(wait).toBeLessThanOrEqual(100);
    expect(await redis.pttl(keys.budget('alice', 'create'))).toBeGreaterThan(0);
    await vi.waitFor(async () => expect(await redis.exists(keys.budget('alice', 'create'))).toBe(0), {
      timeout: 15_000,
      interval: 20,
    });
    expect(await budgets.take('create', 'alice', limit)).toBe(0);
  });

  test('that a clock ahead has left refuses nobody for longer than the period', async () => {
    const limit = { most: 2, periodMs: 400 };
    await redis.set(keys.budget('bob', 'create'), String(Date.now() + 86_400_000), 'PX', 86_400_000);
    expect(await budgets.take('create', 'bob', limit)).toBe(200);
    await vi.waitFor(async () => expect(await budgets.take('create', 'bob', limit)).toBe(0), {
      timeout: 15_000,
      interval: 20,
    });
  });
});

describe('at one gateway', () => {
  const hello = async (user: string, gateway = 1, claims = {}) => {
    const device = await openDevice(cluster.url(gateway));
    device.send({ type: 'hello', token: cluster.token(user, claims), device: 'phone', mode: 'pull' });
    return device;
  };

  test('hellos are limited, and the one too many is closed with 4429', async () => {
    const user = cluster.user('alice');
    for (let i = 0; i < 3; i++) await (await hello(user)).find('welcome');
    const refused = await hello(user);
    expect(await refused.find('error')).toMatchObject({
      code: 'rate_limited',
      retryable: true,
      retryAfterMs: expect.any(Number),
    });
    expect((await refused.closed).code).toBe(4429);
    await (await hello(user, 2)).find('welcome');
    await (await hello(cluster.user('bob'))).find('welcome');
  });

  test('reading is limited, by frames and requests together; sends and received positions are not', async () => {
    const user = cluster.user('alice');
    const device = await hello(user);
    const { head } = await device.find('welcome');
    const api = apiOf(cluster, cluster.token(user));
    expect((await api('GET', '/devices')).status).toBe(200);
    expect((await api('GET', '/inbox')).status).toBe(200);
    const asks = [
      { type: 'sync', after: head },
      { type: 'history', to: user },
      { type: 'read', to: user, seq: 0 },
    ];
    for (const [i, ask] of asks.entries()) device.send({ ...ask, id: `a${i}` });
    device.send({ type: 'sync', after: head, id: 'refused' });
    device.send({ type: 'ping', id: 'ping' });
    expect(await device.find('pong')).toMatchObject({ re: 'ping' });
    expect(device.all('error')).toMatchObject([{ re: 'refused', code: 'rate_limited', retryable: true }]);
    limitedReply(await api('GET', '/devices'), 720);
    expect((await api('GET', '/devices', undefined, { gateway: 2 })).status).toBe(200);

    for (let i = 0; i < 100; i++) device.send({ type: 'send', ...textTo({ to: user }) });
    await device.until('all accepted', () => device.all('accepted').length === 100);
    await cluster.settled('inbox');
    for (let position = 1; position <= 100; position++) device.send({ type: 'received', position });
    device.send({ type: 'ping', id: 'last' });
    await device.until('the last pong', () => device.all('pong').find(({ re }) => re === 'last'));
    expect(device.all('error')).toHaveLength(1);
  });

  test.each([
    ['that are not served', (i: number) => ({ type: 'dance', id: `d${i}` })],
    ['with wrong fields', (i: number) => ({ type: 'history', limit: -1, id: `d${i}` })],
    ['that say hello again', (i: number) => ({ type: 'hello', token: 'x', device: 'phone', id: `d${i}` })],
    ['that confirm what cannot be', (i: number) => ({ type: 'received', position: 1_000_000 + i, id: `d${i}` })],
  ])('frames %s are answered up to the limit, then the connection is closed with 4429', async (_, frame) => {
    const device = await hello(cluster.user('alice'));
    await device.find('welcome');
    for (let i = 0; i < 30; i++) device.send(frame(i));
    expect((await device.closed).code).toBe(4429);
    expect(device.all('error')).toHaveLength(21);
  });

  test('frames that are served are refused above the limit, and a client that does not listen is closed', async () => {
    const device = await hello(cluster.user('alice'));
    await device.find('welcome');
    for (let i = 0; i < 100; i++) device.send({ type: 'ping', id: `p${i}` });
    await device.until('every answer', () => device.all('pong').length + device.all('error').length === 100);
    expect(device.all('pong')).toHaveLength(20);
    for (const error of device.all('error'))
      expect(error).toMatchObject({ code: 'rate_limited', retryable: true, retryAfterMs: expect.any(Number) });
    for (let i = 0; i < 150; i++) device.send({ type: 'ping' });
    expect((await device.closed).code).toBe(4429);
  });

  test('a back end is not limited', async () => {
    const device = await hello(cluster.user('backend'), 1, { scope: 'service' });
    await device.find('welcome');
    for (let i = 0; i < 50; i++) device.send({ type: 'dance', id: `d${i}` });
    device.send({ type: 'ping' });
    await device.find('pong');
    expect(device.all('error')).toHaveLength(50);
    for (let i = 0; i < 10; i++) expect((await service('GET', '/nothing')).status).toBe(404);
  });

  test('requests by HTTP that are none count as frames', async () => {
    const api = apiOf(cluster, cluster.token(cluster.user('alice')));
    for (let i = 0; i < 20; i++)
      expect(refusal(await api('POST', i % 2 ? '/nothing' : '/inbox/received', {}))[0]).toBe(i % 2 ? 404 : 400);
    limitedReply(await api('POST', '/nothing', {}), 180);
    limitedReply(await api('POST', '/inbox/received', {}), 180);
  });
});
