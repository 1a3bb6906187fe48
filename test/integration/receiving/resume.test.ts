import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { fillInbox, positionsOf } from '../../support/inbox.ts';
import { numbers, sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, archive: false });
});
afterAll(() => cluster.stop());

/** The positions of a connection's backlog of 10, which begins after `from`. */
async function backlog(device: Welcomed, from: number): Promise<void> {
  await device.until('the backlog', () => device.items.length >= 10 - from);
  await device.settle();
  expect(positionsOf(device)).toEqual(numbers(from + 1, 10 - from));
}

describe('hello', () => {
  test('without a position goes on after what was received, and nothing of it comes again', async () => {
    const { bob } = await fillInbox(cluster, 10);
    const first = await cluster.connect(bob);
    await backlog(first, 0);
    first.received(6);
    await first.close();
    const second = await cluster.connect(bob, { gateway: 2 });
    expect(second.welcome).toMatchObject({ position: 6, head: 10 });
    expect(second.welcome.reset).toBeUndefined();
    await backlog(second, 6);
  });

  test('a connection that breaks keeps what was received 200 ms before', async () => {
    const { bob } = await fillInbox(cluster, 10);
    const first = await cluster.connect(bob);
    await backlog(first, 0);
    first.received(6);
    const device = () => cluster.redis.hget(cluster.keys.devices(bob), 'phone');
    await expect.poll(device, { timeout: 400, interval: 10 }).toMatch(/^6 /);
    first.socket.terminate();
    await backlog(await cluster.connect(bob, { gateway: 2 }), 6);
  });

  test('with a lower position reads again what is still kept; the server does not forget its own', async () => {
    const { bob } = await fillInbox(cluster, 10);
    const first = await cluster.connect(bob);
    await backlog(first, 0);
    first.received(8);
    await first.close();
    const again = await cluster.connect(bob, { position: 2, epoch: first.welcome.epoch });
    expect(again.welcome.position).toBe(8);
    expect(again.welcome.reset).toBeUndefined();
    await backlog(again, 2);
    again.received(5);
    await again.close();
    const third = await cluster.connect(bob);
    expect(third.welcome.position).toBe(8);
    await backlog(third, 8);
  });

  test.each([{ withEpoch: true }, { withEpoch: false }])(
    'with a higher position counts as received (%j)',
    async ({ withEpoch }) => {
      const { bob, alice } = await fillInbox(cluster, 10);
      const second = await cluster.connect(bob, { position: 7, ...(withEpoch ? { epoch: alice.welcome.epoch } : {}) });
      expect(second.welcome.position).toBe(7);
      expect(second.welcome.reset).toBeUndefined();
      await backlog(second, 7);
      await second.close();
      expect((await cluster.connect(bob)).welcome.position).toBe(7);
    },
  );

  test.each([
    ['a position above the head', { position: 11 }],
    ['a position far above the head', { position: Number.MAX_SAFE_INTEGER }],
    ['another epoch', { position: 10, epoch: 'another' }],
    ['another epoch and no position', { epoch: 'another' }],
    ['another epoch that would break a script', { position: 1, epoch: '%s} "\' ] \u0000\n' }],
  ])('with %s: reset, and the backlog from 0', async (_, hello) => {
    const { bob } = await fillInbox(cluster, 10);
    const first = await cluster.connect(bob);
    await backlog(first, 0);
    first.received(9);
    await first.close();
    const again = await cluster.connect(bob, hello);
    expect(again.welcome).toMatchObject({ reset: true, head: 10, epoch: first.welcome.epoch });
    await backlog(again, 0);
  });
});

describe('the same device twice', () => {
  test.each([1, 2])('the older connection is closed with 4409, the newer one lives (gateway %i)', async (gateway) => {
    const { bob, alice } = await fillInbox(cluster, 10);
    const older = await cluster.connect(bob);
    await backlog(older, 0);
    older.received(4);
    await older.settle();
    const newer = await cluster.connect(bob, { gateway });
    expect(await older.closed).toMatchObject({ code: 4409 });
    await sendMany(alice, bob, 1, 'live');
    await newer.until('the live message', () => newer.items.some(({ position }) => position === 11));
    newer.received(11);
    await newer.close();
    expect((await cluster.connect(bob)).welcome.position).toBe(11);
  });

  test('a hello that was given up, and has its turn late, does not send the newer connection away', async () => {
    const { bob } = await fillInbox(cluster, 10);
    const abandoned = await openDevice(cluster.url(2));
    cluster.pause('web-2');
    let newer: Welcomed;
    try {
      const hello = JSON.stringify({ type: 'hello', token: cluster.token(bob), device: 'phone' });
      await new Promise((sent) => abandoned.socket.send(hello, sent));
      abandoned.socket.terminate();
      newer = await cluster.connect(bob, { device: 'phone' });
    } finally {
      cluster.resume('web-2');
    }
    expect(await newer.closed).toMatchObject({ code: 1012 });
    const again = await cluster.connect(bob, { device: 'phone' });
    await backlog(again, 0);
    await again.settle();
  });

  test('what a replaced connection still says to have received is ignored', async () => {
    const { bob } = await fillInbox(cluster, 10);
    const older = await cluster.connect(bob);
    await backlog(older, 0);
    cluster.pause('web-1');
    let newer: Welcomed;
    try {
      older.received(10);
      newer = await cluster.connect(bob, { gateway: 2 });
    } finally {
      cluster.resume('web-1');
    }
    expect(newer.welcome.position).toBe(0);
    expect(await older.closed).toMatchObject({ code: 4409 });
    await backlog(newer, 0);
    await newer.close();
    expect((await cluster.connect(bob, { gateway: 2 })).welcome.position).toBe(0);
  });

  test("a connection that ends late does not take the newer one's route away", async () => {
    const { bob, alice } = await fillInbox(cluster, 1);
    for (let round = 0; round < 5; round++) {
      const older = await cluster.connect(bob, { gateway: 1 });
      const newer = await cluster.connect(bob, { gateway: 2 });
      older.socket.terminate();
      await older.closed;
      await sendMany(alice, bob, 1, `live-${round}`);
      await newer.until(
        'the live message',
        () => newer.items.some(({ message }) => message.clientId === `live-${round}-0`),
        3000,
      );
      newer.received(newer.items.at(-1)!.position);
      await newer.close();
    }
  });

  test('more than 20 devices: the longest unseen is forgotten, one that is online never', async () => {
    const { bob } = await fillInbox(cluster, 1);
    for (let i = 1; i <= 20; i++) {
      const device = await cluster.connect(bob, { device: `device-${i}` });
      await device.until('the message', () => device.items.length === 1);
      device.received(1);
      await device.settle();
      if (i > 1) await device.close();
    }
    const one = await cluster.connect(bob, { device: 'one-more' });
    expect(one.welcome.position).toBe(0);
    // device-1 is online, so device-2 went.
    expect((await cluster.connect(bob, { device: 'device-3' })).welcome.position).toBe(1);
    expect((await cluster.connect(bob, { device: 'device-1' })).welcome.position).toBe(1);
    expect((await cluster.connect(bob, { device: 'device-2' })).welcome.position).toBe(0);
  });
});
