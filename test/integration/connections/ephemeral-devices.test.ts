import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { apiOf } from '../../support/http-client.ts';
import { sendMany } from '../../support/sending.ts';

/** Devices that are not remembered, such as private windows of a browser. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, archive: false });
});
afterAll(() => cluster.stop());

type Listed = { device: string; position: number; online: boolean; ephemeral?: true };
const api = (user: string) => apiOf(cluster, cluster.token(user));
const listed = async (user: string) => (await api(user)('GET', '/devices')).body['devices'] as Listed[];
const stored = (user: string, device: string) => cluster.redis.hget(cluster.keys.devices(user), device);

/** Resolves once the connection of a device has ended for the server too. */
async function left(device: Welcomed): Promise<void> {
  const { user, device: name } = device.welcome;
  await device.close();
  await vi.waitFor(
    async () => expect((await listed(user)).find((one) => one.device === name)?.online).not.toBe(true),
    15_000,
  );
}

/** Moves the time when a device was last seen back by more than a minute. */
async function aMinuteLater(user: string, device: string): Promise<void> {
  const [position, seen, ...words] = (await stored(user, device))!.split(' ');
  await cluster.redis.hset(cluster.keys.devices(user), device, [position, Number(seen) - 60_001, ...words].join(' '));
}

/** A user with two messages in its inbox. */
async function reader(): Promise<string> {
  const user = cluster.user('reader');
  await sendMany(await cluster.connect(cluster.user('writer')), user, 2);
  await cluster.settled('inbox');
  return user;
}

describe('an ephemeral device', () => {
  test('is listed as such, and remembered for a minute after its connection', async () => {
    const user = await reader();
    const tab = await cluster.connect(user, { device: 'tab', ephemeral: true });
    expect(tab.welcome.features).toContain('ephemeral');
    await tab.until('both', () => tab.items.length === 2);
    tab.received(2);
    await vi.waitFor(
      async () => expect(await listed(user)).toMatchObject([{ position: 2, online: true, ephemeral: true }]),
      15_000,
    );
    await left(tab);
    expect(await listed(user)).toMatchObject([{ device: 'tab', position: 2, online: false, ephemeral: true }]);
    expect((await cluster.connect(user, { device: 'tab', ephemeral: true, mode: 'pull' })).welcome.position).toBe(2);
  });

  test('is forgotten then: it begins at 0, on every path', async () => {
    const user = await reader();
    const tab = await cluster.connect(user, { device: 'tab', ephemeral: true });
    await tab.until('both', () => tab.items.length === 2);
    tab.received(2);
    await left(tab);
    const page = () => api(user)('GET', '/inbox?device=tab');
    expect((await page()).body).toMatchObject({ items: [], next: 2 });

    await aMinuteLater(user, 'tab');
    expect(await listed(user)).toEqual([]);
    expect((await page()).body).toMatchObject({ items: [{ position: 1 }, { position: 2 }] });
    const again = await cluster.connect(user, { device: 'tab', ephemeral: true });
    expect(again.welcome.position).toBe(0);
    await again.until('both again', () => again.items.length === 2);
  });

  test('is not forgotten while it is connected, however long it is silent', async () => {
    const user = await reader();
    const tab = await cluster.connect(user, { device: 'tab', ephemeral: true });
    await aMinuteLater(user, 'tab');
    await cluster.connect(user, { device: 'phone', mode: 'pull' });
    expect((await listed(user)).map(({ device }) => device).sort()).toEqual(['phone', 'tab']);
    await tab.until('both', () => tab.items.length === 2);
    tab.received(2);
    await left(tab);
    expect(await stored(user, 'tab')).toMatch(/^2 \d+ e$/);
  });

  test('is forgotten by the next hello of the user', async () => {
    const user = cluster.user('alice');
    await left(await cluster.connect(user, { device: 'tab', ephemeral: true }));
    await aMinuteLater(user, 'tab');
    await cluster.connect(user, { device: 'phone' });
    expect(await stored(user, 'tab')).toBeNull();
  });

  test('is not remembered for longer because its position moves by HTTP', async () => {
    const user = await reader();
    await left(await cluster.connect(user, { device: 'tab', ephemeral: true, mode: 'pull' }));
    const before = (await stored(user, 'tab'))!.split(' ');
    expect((await api(user)('POST', '/inbox/received', { device: 'tab', position: 1 })).status).toBe(200);
    expect(await stored(user, 'tab')).toBe(['1', ...before.slice(1)].join(' '));
  });

  test('becomes an ordinary one, and the other way round, by its next hello', async () => {
    const user = await reader();
    await left(await cluster.connect(user, { device: 'tab', ephemeral: true, position: 1, mode: 'pull' }));
    const kept = await cluster.connect(user, { device: 'tab', mode: 'pull' });
    expect(kept.welcome.position).toBe(1);
    expect(await listed(user)).toEqual([{ device: 'tab', position: 1, online: true, lastSeen: expect.any(Number) }]);
    await left(kept);
    await aMinuteLater(user, 'tab');
    const again = await cluster.connect(user, { device: 'tab', ephemeral: true, mode: 'pull' });
    expect(again.welcome.position).toBe(1);
    expect(await listed(user)).toMatchObject([{ ephemeral: true }]);
  });
});

describe('20 of them', () => {
  const many = (user: string, count: number, name: string, more: object) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        cluster.connect(user, { device: `${name}-${i}`, gateway: (i % 2) + 1, mode: 'pull', ...more }),
      ),
    );

  test('push no other device out, and are pushed out by none', async () => {
    const user = cluster.user('alice');
    for (const phone of await many(user, 20, 'phone', {})) await left(phone);
    const tabs = await many(user, 20, 'tab', { ephemeral: true });
    const names = async () => (await listed(user)).map(({ device }) => device.replace(/\d+$/, '')).sort();
    expect(await names()).toEqual([...Array<string>(20).fill('phone-'), ...Array<string>(20).fill('tab-')]);

    // A further phone takes the place of the one unseen for longest, by a hello and by HTTP.
    await cluster.connect(user, { device: 'new-1', mode: 'pull' });
    expect((await api(user)('POST', '/inbox/received', { device: 'new-2', position: 0 })).status).toBe(200);
    expect(await names()).toEqual([
      ...['new-', 'new-'],
      ...Array<string>(18).fill('phone-'),
      ...Array<string>(20).fill('tab-'),
    ]);
    expect(await stored(user, 'phone-0')).toBeNull();
    await Promise.all(tabs.map((tab) => tab.settle()));
  });

  test('are all that may be online: one more is closed with 4429, the others stay', async () => {
    const user = cluster.user('alice');
    const tabs = await many(user, 20, 'tab', { ephemeral: true });
    const more = await openDevice(cluster.url());
    more.send({ type: 'hello', token: cluster.token(user), device: 'more', ephemeral: true });
    expect(await more.find('error')).toMatchObject({ code: 'rate_limited', retryable: true });
    expect(await more.closed).toMatchObject({ code: 4429 });
    await Promise.all(tabs.map((tab) => tab.settle()));
    await cluster.connect(user, { device: 'phone' });

    // The one that left makes room at once.
    await left(tabs[7]!);
    await cluster.connect(user, { device: 'more', ephemeral: true });
    expect(await stored(user, 'tab-7')).toBeNull();
  });

  test('are all that is stored, however many come', async () => {
    const user = cluster.user('alice');
    for (let i = 0; i < 60; i++) {
      const tab = await openDevice(cluster.url((i % 2) + 1));
      tab.send({ type: 'hello', token: cluster.token(user), device: `tab-${i}`, ephemeral: true, mode: 'pull' });
      await Promise.race([tab.find('welcome'), tab.closed]);
      await tab.close();
      expect(await cluster.redis.hlen(cluster.keys.devices(user))).toBeLessThanOrEqual(20);
    }
  });
});

test('words behind the position that this version does not know are kept by every writer', async () => {
  const user = await reader();
  const later = (words: string) =>
    cluster.redis.hset(cluster.keys.devices(user), 'tab', `0 ${Date.now()}${words} f7:12`);
  await later(' e');
  const tab = await cluster.connect(user, { device: 'tab', ephemeral: true });
  expect(await stored(user, 'tab')).toMatch(/^0 \d+ e f7:12$/);
  await tab.until('both', () => tab.items.length === 2);
  tab.received(2);
  await vi.waitFor(async () => expect(await stored(user, 'tab')).toMatch(/^2 \d+ e f7:12$/), 15_000);
  await left(tab);
  expect(await stored(user, 'tab')).toMatch(/^2 \d+ e f7:12$/);
  await cluster.connect(user, { device: 'tab' });
  expect(await stored(user, 'tab')).toMatch(/^2 \d+ f7:12$/);
  expect((await api(user)('POST', '/inbox/received', { device: 'tab', position: 2 })).status).toBe(200);
  expect(await stored(user, 'tab')).toMatch(/^2 \d+ f7:12$/);
  expect(await listed(user)).toMatchObject([{ device: 'tab', position: 2, online: true }]);
});
