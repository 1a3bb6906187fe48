import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../../sdk/src/client/client.ts';
import { synced } from '../../support/client-on-network.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';

/** Pages without a storage, as in private windows. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false, fanout: false });
});
afterAll(() => cluster.stop());

test('a page that is loaded again and again pushes no other device of its user out', async () => {
  const user = cluster.user('alice');
  const load = async (device?: string): Promise<void> => {
    await using client = createClient({
      url: cluster.url().replace(/\/v1\/ws$/, ''),
      getToken: () => cluster.token(user),
      ...(device === undefined ? {} : { device }),
    });
    await client.connect();
    await synced(client);
    expect(client.features).toContain('ephemeral');
  };
  await load('phone');
  for (let page = 0; page < 25; page++) await load();
  const { body } = await cluster.http(cluster.token(user), 'GET', '/devices');
  const { devices } = body as { devices: { device: string; ephemeral?: true }[] };
  expect(devices.filter(({ ephemeral }) => ephemeral !== true).map(({ device }) => device)).toEqual(['phone']);
}, 60_000);
