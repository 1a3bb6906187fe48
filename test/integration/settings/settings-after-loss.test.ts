import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { snapshot } from '../../support/older-redis.ts';
import { patiently } from '../../support/patiently.ts';

/** History keeps what users have set: a loss of Redis changes nothing of it that was archived. */

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster({ fanout: false });
});
afterEach(() => cluster.stop());

const patch = (user: string, change: object) => cluster.http(cluster.token(user), 'PATCH', '/settings', change);

async function settings(user: string): Promise<{ receipts: boolean; presence: string; version: number }> {
  return vi.waitFor(async () => {
    const { status, body } = await cluster.http(cluster.token(user), 'GET', '/settings');
    expect(status).toBe(200);
    return body as { receipts: boolean; presence: string; version: number };
  }, 10_000);
}

test('settings survive a Redis that comes back empty, with a version above every earlier one', async () => {
  await patch('bob', { receipts: false, presence: 'nobody' });
  const { version: before } = await settings('bob');
  await cluster.settled('history');
  await cluster.wipe();
  const device = await patiently(cluster, 'bob', { epoch: 'an earlier one' });
  expect(device.welcome).toMatchObject({ reset: true, settings: { receipts: false, presence: 'nobody' } });
  expect(device.welcome.settings!.version).toBeGreaterThan(before);
  expect(device.welcome.settings!.version).toBe(1_000_000);
  expect((await patch('bob', { receipts: true })).body).toMatchObject({ receipts: true, version: 1_000_001 });
  await cluster.settled('history');
  await cluster.wipe();
  await patiently(cluster, 'bob');
  expect(await settings('bob')).toEqual({ receipts: true, presence: 'nobody', version: 2_000_000 });
  // The copy in the user's shard was lost too.
  await vi.waitFor(async () => expect(await cluster.redis.hget(cluster.keys.user('bob'), 'pv')).toBe('nobody'), 10_000);
});

test('a change that was lost is taken back, and its version is never given again', async () => {
  await patch('bob', { presence: 'nobody' });
  await cluster.settled('history');
  await cluster.end('archive-1');
  const lost = (await patch('bob', { receipts: false })).body as { version: number };
  await cluster.wipe();
  await cluster.start('archive-1');
  const device = await patiently(cluster, 'bob');
  expect(device.welcome.settings).toMatchObject({ receipts: true, presence: 'nobody' });
  expect(device.welcome.settings!.version).toBeGreaterThan(lost.version);
});

test('an older Redis does not bring back older settings', async () => {
  await patch('bob', { receipts: false });
  await cluster.settled('history');
  const restore = await snapshot(cluster);
  await patch('bob', { receipts: true, presence: 'nobody' });
  await cluster.settled('history');
  for (const line of ['web', 'archive']) await cluster.end(line);
  await restore();
  await Promise.all(['web', 'archive'].map((line) => cluster.start(line)));
  const device = await patiently(cluster, 'bob');
  expect(device.welcome.settings).toEqual({ receipts: true, presence: 'nobody', version: 1_000_000 });
});

test('a user who has set nothing has the defaults after a loss as well', async () => {
  await patiently(cluster, 'bob');
  await cluster.wipe();
  await patiently(cluster, 'bob');
  expect(await settings('bob')).toMatchObject({ receipts: true, presence: 'shared' });
});
