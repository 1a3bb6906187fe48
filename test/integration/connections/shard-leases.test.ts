import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { sendMany } from '../../support/sending.ts';

/**
 * A gateway's lease in an inbox shard, after an absence. Leases that have run out are made by setting them back, as
 * Redis would have them after that time without anybody in the shard.
 */

let cluster: Cluster;
let sender: Welcomed;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, archive: false });
  sender = await cluster.connect(cluster.user('sender'));
});
afterAll(() => cluster.stop());

const shardOf = (user: string): number => cluster.keys.shardOf(user);
const slotOf = (user: string): string => cluster.keys.shardSlot(shardOf(user));

/** A user in a shard of which nobody knows yet, or in that of another user. */
function userIn(name: string, fits: (shard: number) => boolean): string {
  for (;;) {
    const user = cluster.user(name);
    if (fits(shardOf(user))) return user;
  }
}
const taken = new Set<number>();
function userAlone(name: string): string {
  const user = userIn(name, (shard) => shard !== shardOf(sender.welcome.user) && !taken.has(shard));
  taken.add(shardOf(user));
  return user;
}

const gatewayOf = async (user: string): Promise<string> =>
  (await cluster.redis.hget(cluster.keys.user(user), 'routes'))!.split(' ')[0]!;
const leaseOf = async (user: string, gateway: string): Promise<number> =>
  Number(await cluster.redis.hget(slotOf(user), `gateway:${gateway}`));

async function runOut(user: string, gateway: string, agoMs: number): Promise<void> {
  const [seconds] = await cluster.redis.time();
  await cluster.redis.hset(slotOf(user), `gateway:${gateway}`, Number(seconds) * 1000 - agoMs);
}

/** Resolves once the gateway has renewed its lease in the user's shard by itself. */
async function renewed(user: string, gateway: string): Promise<void> {
  const before = await leaseOf(user, gateway);
  await vi.waitFor(async () => expect(await leaseOf(user, gateway)).toBeGreaterThan(before), {
    timeout: 10_000,
    interval: 50,
  });
}

/** Connects and leaves, so that the gateway has held the shard. */
async function wasHere(user: string): Promise<string> {
  const device = await cluster.connect(user);
  const gateway = await gatewayOf(user);
  await device.close();
  return gateway;
}

describe.each([16, 80])('a user alone in its shard, %i s after the lease has run out', (seconds) => {
  test('is connected, gets live messages at once and stays', async () => {
    const user = userAlone('bob');
    const gateway = await wasHere(user);
    await runOut(user, gateway, seconds * 1000);
    const devices = [
      await cluster.connect(user, { device: 'phone' }),
      await cluster.connect(user, { device: 'tablet' }),
    ];
    const began = Date.now();
    await sendMany(sender, user, 1, `live-${user}`);
    await Promise.all(devices.map((device) => device.until('the live message', () => device.items.length === 1, 2000)));
    // The next renewal is up to 4.5 s away: a message that only it brings would come later on average.
    expect(Date.now() - began).toBeLessThan(2000);
    await renewed(user, gateway);
    await Promise.all(devices.map((device) => device.settle()));
  });

  test('has at most 20 devices, though 60 come at once', async () => {
    const user = userAlone('bob');
    const gateway = await wasHere(user);
    await runOut(user, gateway, seconds * 1000);
    const answers = await Promise.all(
      Array.from({ length: 60 }, async (_, i) => {
        const device = await openDevice(cluster.url());
        device.send({ type: 'hello', token: cluster.token(user), device: `device-${i}` });
        const word = await device.until('an answer', () =>
          device.all('welcome').length > 0 ? 'welcome' : device.all('error')[0]?.code,
        );
        return { device, word };
      }),
    );
    const welcomed = answers.filter(({ word }) => word === 'welcome');
    expect(welcomed).toHaveLength(20);
    expect(new Set(answers.filter(({ word }) => word !== 'welcome').map(({ word }) => word))).toEqual(
      new Set(['rate_limited']),
    );
    await renewed(user, gateway);
    await Promise.all(welcomed.map(({ device }) => device.settle()));
    for (const { device } of answers) device.socket.terminate();
  });
});

test('a route dropped while its gateway was paused is noticed, whoever renews the lease first', async () => {
  const user = userAlone('bob');
  const neighbour = userIn('carol', (shard) => shard === shardOf(user));
  const older = await cluster.connect(user, { device: 'phone' });
  const gateway = await gatewayOf(user);
  const next = await openDevice(cluster.url());
  cluster.pause('web-1');
  try {
    await runOut(user, gateway, 80_000);
    // The same user elsewhere: routes of a gateway that was gone for so long are dropped.
    await cluster.connect(user, { device: 'tablet', gateway: 2 });
    expect(await cluster.redis.hget(cluster.keys.user(user), 'routes')).not.toContain(gateway);
    // Its hello waits in the socket of the paused gateway, which reads it before it renews anything.
    next.send({ type: 'hello', token: cluster.token(neighbour), device: 'phone' });
  } finally {
    cluster.resume('web-1');
  }
  await next.find('welcome');
  // The device may come back by itself, as after any restart.
  expect(await older.closed).toMatchObject({ code: 1012 });
  await renewed(neighbour, gateway);
  await next.settle();
});
