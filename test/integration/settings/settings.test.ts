import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import type { Frame } from '../../support/frames.ts';

/** What a user sets for itself, by HTTP, and how its devices hear of it. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, fanout: false });
});
afterAll(() => cluster.stop());

const defaults = { receipts: true, presence: 'shared' };

const get = (user: string) => cluster.http(cluster.token(user), 'GET', '/settings');
const patch = (user: string, change: unknown) => cluster.http(cluster.token(user), 'PATCH', '/settings', change);

describe('the settings of a user', () => {
  test('begin with the defaults, and say what was set and how often', async () => {
    const user = cluster.user('bob');
    expect(await get(user)).toMatchObject({ status: 200, body: { ...defaults, version: 0 } });
    expect(await patch(user, { receipts: false })).toMatchObject({
      status: 200,
      body: { receipts: false, presence: 'shared', version: 1 },
    });
    expect((await patch(user, { receipts: true, presence: 'nobody' })).body).toEqual({
      receipts: true,
      presence: 'nobody',
      version: 3,
    });
    expect((await get(user)).body).toEqual({ receipts: true, presence: 'nobody', version: 3 });
    expect((await get(cluster.user('carol'))).body).toEqual({ ...defaults, version: 0 });
  });

  test('that are set to what they are do not change', async () => {
    const user = cluster.user('bob');
    await patch(user, { receipts: false });
    expect((await patch(user, { receipts: false, presence: 'shared' })).body).toMatchObject({ version: 1 });
    expect((await patch(user, {})).body).toMatchObject({ version: 1 });
  });

  test('ignore unknown fields and refuse wrong values', async () => {
    const user = cluster.user('bob');
    expect((await patch(user, { later: 'feature', version: 900 })).body).toEqual({ ...defaults, version: 0 });
    for (const change of [{ receipts: 'no' }, { receipts: null }, { presence: 'some' }, [], 'text', null])
      expect(await patch(user, change)).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
    expect((await get(user)).body).toEqual({ ...defaults, version: 0 });
  });

  test('are those of the token, or those that a service token names', async () => {
    const [user, other] = [cluster.user('bob'), cluster.user('carol')];
    const service = cluster.token('back-end', { scope: 'service' });
    expect(await cluster.http(cluster.token(user), 'PATCH', `/settings?user=${other}`, {})).toMatchObject({
      status: 403,
    });
    expect(await cluster.http(service, 'GET', '/settings')).toMatchObject({ status: 400 });
    await cluster.http(service, 'PATCH', `/settings?user=${user}`, { presence: 'nobody' });
    expect((await get(user)).body).toEqual({ receipts: true, presence: 'nobody', version: 1 });
  });

  test('come with welcome', async () => {
    const user = cluster.user('bob');
    expect((await cluster.connect(user)).welcome).toMatchObject({
      features: expect.arrayContaining(['settings']),
      settings: { ...defaults, version: 0 },
    });
    await patch(user, { presence: 'nobody' });
    expect((await cluster.connect(user, { gateway: 2 })).welcome.settings).toEqual({
      receipts: true,
      presence: 'nobody',
      version: 1,
    });
  });
});

describe('a change', () => {
  test('is told to every device of the user, wherever it is connected, and to nobody besides', async () => {
    const [user, other] = [cluster.user('bob'), cluster.user('carol')];
    const devices = await Promise.all([
      cluster.connect(user, { device: 'phone' }),
      cluster.connect(user, { device: 'laptop', gateway: 2 }),
      cluster.connect(user, { device: 'lazy', gateway: 2, mode: 'lazy' }),
    ]);
    const pulling = await cluster.connect(user, { device: 'pull', mode: 'pull' });
    const stranger = await cluster.connect(other);
    await patch(user, { presence: 'nobody', receipts: true });
    await patch(user, { receipts: false });
    for (const device of devices) {
      await device.find('settings', ({ version }) => version === 2);
      expect(device.all('settings')).toEqual([
        { type: 'settings', version: 1, changed: { presence: 'nobody' } },
        { type: 'settings', version: 2, changed: { receipts: false } },
      ]);
    }
    for (const device of [pulling, stranger]) {
      await device.settle();
      expect(device.all('settings')).toEqual([]);
    }
  });

  test('whose hint was lost is noticed at the next renewal of the lease', async () => {
    const user = cluster.user('bob');
    const device = await cluster.connect(user);
    const { redis, keys } = cluster;
    const line = await redis.hget(keys.partitionSlot(keys.partitionOf(user)), 'line');
    await redis.hset(keys.settings(user), { epoch: line!, version: 5, receipts: '5 false' });
    await redis.hset(keys.user(user), 'sv', 5);
    expect(await device.find('settings')).toEqual({ type: 'settings', version: 5, changed: { receipts: false } });
  });

  test('is known to the shard of the user, which learns it at hello if it was missed', async () => {
    const user = cluster.user('bob');
    const copied = () => cluster.redis.hmget(cluster.keys.user(user), 'sv', 'pv');
    await patch(user, { presence: 'nobody' });
    expect(await copied()).toEqual(['1', 'nobody']);
    await cluster.redis.hdel(cluster.keys.user(user), 'sv', 'pv');
    await cluster.connect(user);
    await vi.waitFor(async () => expect(await copied()).toEqual(['1', 'nobody']), 5000);
  });

  test('of 50 at once: each gets a version of its own, and the last frame says what holds', async () => {
    const user = cluster.user('bob');
    const device = await cluster.connect(user);
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => patch(user, { presence: i % 2 ? 'nobody' : 'shared', receipts: i % 3 > 0 })),
    );
    const { body } = await get(user);
    const { version, ...now } = body as Frame<'settings'>['changed'] & { version: number };
    await cluster.settled('history');
    expect(await cluster.redis.hget(cluster.keys.settings(user), 'version')).toBe(String(version));
    await vi.waitFor(() => {
      const told = device.all('settings').toSorted((one, other) => one.version - other.version);
      expect(Object.assign({ ...defaults }, ...told.map(({ changed }) => changed))).toEqual(now);
    }, 5000);
  });
});

test('a user whose settings cannot be read may say hello all the same', async () => {
  const user = cluster.user('bob');
  await cluster.redis.set(cluster.keys.settings(user), 'not a hash');
  const device = await cluster.connect(user);
  expect(device.welcome.settings).toBeUndefined();
  expect(device.welcome.features).toContain('settings');
  expect(await get(user)).toMatchObject({ status: 503, body: { error: { code: 'retry_later' } } });
});
