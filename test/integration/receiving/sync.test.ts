import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { fillInbox, positionsOf } from '../../support/inbox.ts';
import { numbers, sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false });
});
afterAll(() => cluster.stop());

describe('pull', () => {
  test('nothing comes unasked, before and after a sync', async () => {
    const { bob, alice } = await fillInbox(cluster, 5);
    const pull = await cluster.connect(bob, { mode: 'pull' });
    const witness = await cluster.connect(bob, { device: 'witness' });
    await sendMany(alice, bob, 1, 'live');
    await witness.until('the live message', () => witness.items.length === 6);
    await pull.settle();
    expect(pull.frames.map(({ type }) => type)).toEqual(['welcome', 'pong']);
    expect(pull.welcome).toMatchObject({ position: 0, head: 5 });

    const page = await pull.request({ type: 'sync', after: 0 }, 'page');
    expect(positionsOf(page)).toEqual(numbers(1, 6));
    await sendMany(alice, bob, 1, 'more');
    await witness.until('the next message', () => witness.items.length === 7);
    await pull.settle();
    expect(pull.items).toEqual([]);
    expect((await pull.settle()).head).toBe(7);
  });

  test('`received` moves the position of the device', async () => {
    const { bob } = await fillInbox(cluster, 5);
    const pull = await cluster.connect(bob, { mode: 'pull' });
    pull.received(3);
    await pull.settle();
    await pull.close();
    const again = await cluster.connect(bob);
    expect(again.welcome.position).toBe(3);
    await again.until('the rest', () => again.items.length === 2);
    expect(positionsOf(again)).toEqual([4, 5]);
  });
});

describe('sync', () => {
  test('reads the whole inbox in pages of 200', async () => {
    const { bob } = await fillInbox(cluster, 450);
    const device = await cluster.connect(bob, { mode: 'pull' });
    const seen: number[] = [];
    const ends: [number, boolean][] = [];
    for (let after = 0; ;) {
      const page = await device.request({ type: 'sync', after }, 'page');
      expect(page.gaps).toEqual([]);
      expect(page.epoch).toBe(device.welcome.epoch);
      seen.push(...positionsOf(page));
      expect(page.next).toBeGreaterThanOrEqual(page.items.at(-1)!.position);
      ends.push([page.next, page.more]);
      if (!page.more) break;
      after = page.next;
    }
    expect(seen).toEqual(numbers(1, 450));
    expect(ends).toEqual([
      [200, true],
      [400, true],
      [450, false],
    ]);
  });

  test('a limit counts items; at the head a page is empty and stays there', async () => {
    const { bob } = await fillInbox(cluster, 10);
    const device = await cluster.connect(bob, { mode: 'pull' });
    const one = await device.request({ type: 'sync', after: 0, limit: 1 }, 'page');
    expect(one).toMatchObject({ next: 1, more: true });
    expect(positionsOf(one)).toEqual([1]);
    const rest = await device.request({ type: 'sync', after: 1, limit: 200 }, 'page');
    expect(rest).toMatchObject({ next: 10, more: false });
    expect(positionsOf(rest)).toEqual(numbers(2, 9));
    expect(await device.request({ type: 'sync', after: 10, epoch: device.welcome.epoch }, 'page')).toMatchObject({
      items: [],
      gaps: [],
      next: 10,
      more: false,
    });
  });

  test('an empty inbox is an empty page', async () => {
    const device = await cluster.connect(cluster.user('new'), { mode: 'pull' });
    expect(await device.request({ type: 'sync', after: 0 }, 'page')).toMatchObject({
      items: [],
      gaps: [],
      next: 0,
      more: false,
    });
  });

  test("holds the device's own messages", async () => {
    const { bob, alice } = await fillInbox(cluster, 2);
    await sendMany(alice, bob, 1, 'third');
    await cluster.settled('inbox');
    const page = await alice.request({ type: 'sync', after: 0 }, 'page');
    expect(page.items.map(({ message }) => message.clientId)).toEqual(['m-0', 'm-1', 'third-0']);
    expect(alice.items).toEqual([]);
  });

  test('`after` counts as received, and never moves back', async () => {
    const { bob } = await fillInbox(cluster, 10);
    const device = await cluster.connect(bob, { mode: 'pull' });
    await device.request({ type: 'sync', after: 7 }, 'page');
    expect(positionsOf(await device.request({ type: 'sync', after: 3 }, 'page'))).toEqual(numbers(4, 7));
    await device.close();
    const again = await cluster.connect(bob);
    expect(again.welcome.position).toBe(7);
    await again.until('the rest', () => again.items.length === 3);
    expect(positionsOf(again)).toEqual([8, 9, 10]);
  });

  test.each([
    ['sync', { type: 'sync', after: 11 }],
    ['received', { type: 'received', position: 11 }],
  ])('%s above the head is bad_request and moves nothing', async (_, frame) => {
    const { bob } = await fillInbox(cluster, 10);
    const device = await cluster.connect(bob, { mode: 'pull' });
    expect(await device.request(frame, 'error')).toMatchObject({ code: 'bad_request', retryable: false });
    await device.settle();
    await device.close();
    expect((await cluster.connect(bob)).welcome.position).toBe(0);
  });

  test('with another epoch it is resync_required, and moves nothing', async () => {
    const { bob } = await fillInbox(cluster, 3);
    const device = await cluster.connect(bob, { mode: 'pull' });
    expect(await device.request({ type: 'sync', after: 2, epoch: 'another' }, 'error')).toMatchObject({
      code: 'resync_required',
      retryable: false,
    });
    await device.close();
    expect((await cluster.connect(bob)).welcome.position).toBe(0);
  });
});

describe('lazy', () => {
  test('brings the unread summary and then only live messages', async () => {
    const { bob, alice } = await fillInbox(cluster, 5);
    const lazy = await cluster.connect(bob, { mode: 'lazy' });
    expect(lazy.welcome).toMatchObject({ position: 0, head: 5, unread: { total: 5, more: false } });
    expect(lazy.welcome.unread.conversations).toMatchObject([
      { peer: alice.welcome.user, unread: 5, readSeq: 0, lastSeq: 5, last: { body: 4 } },
    ]);
    await sendMany(alice, bob, 2, 'live');
    await lazy.until('the live messages', () => lazy.items.length === 2);
    expect(positionsOf(lazy)).toEqual([6, 7]);
  });

  test('received confirms live messages and does not move the device, only sync does', async () => {
    const { bob, alice } = await fillInbox(cluster, 5);
    const lazy = await cluster.connect(bob, { mode: 'lazy' });
    await sendMany(alice, bob, 2, 'live');
    await lazy.until('the live messages', () => lazy.items.length === 2);
    lazy.received(7);
    await lazy.settle();
    await lazy.close();

    const again = await cluster.connect(bob, { mode: 'lazy' });
    expect(again.welcome.position).toBe(0);
    expect(positionsOf(await again.request({ type: 'sync', after: 4 }, 'page'))).toEqual([5, 6, 7]);
    await again.close();
    const push = await cluster.connect(bob);
    expect(push.welcome.position).toBe(4);
    await push.until('the rest', () => push.items.length === 3);
    expect(positionsOf(push)).toEqual([5, 6, 7]);
  });

  test('of two syncs the further one counts, in whatever order they come', async () => {
    const { bob } = await fillInbox(cluster, 5);
    const lazy = await cluster.connect(bob, { mode: 'lazy' });
    lazy.send({ type: 'sync', after: 5 });
    await lazy.request({ type: 'sync', after: 2 }, 'page');
    await lazy.close();
    expect((await cluster.connect(bob)).welcome.position).toBe(5);
  });

  test('a sync below what was received live moves the device just there', async () => {
    const { bob, alice } = await fillInbox(cluster, 5);
    const lazy = await cluster.connect(bob, { mode: 'lazy' });
    await sendMany(alice, bob, 1, 'live');
    await lazy.until('the live message', () => lazy.items.length === 1);
    lazy.received(6);
    await lazy.request({ type: 'sync', after: 2 }, 'page');
    await lazy.close();
    expect((await cluster.connect(bob)).welcome.position).toBe(2);
  });
});
