import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { positionsOf } from '../../support/inbox.ts';
import { numbers, sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, archive: false, jobs: true });
});
afterAll(() => cluster.stop());

describe('live', () => {
  test("every device of the recipient and the sender's other devices get it, the sender only `accepted`", async () => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    const sending = await cluster.connect(alice, { device: 'sending' });
    const others = await Promise.all([
      cluster.connect(alice, { device: 'other' }),
      cluster.connect(alice, { device: 'elsewhere', gateway: 2 }),
      cluster.connect(bob, { device: 'phone' }),
      cluster.connect(bob, { device: 'tablet', gateway: 2 }),
    ]);
    await sendMany(sending, bob, 3);
    await Promise.all(others.map((device) => device.until('all three', () => device.items.length === 3)));
    for (const device of others) expect(device.bodies).toEqual([0, 1, 2]);

    // What bob sends goes to alice's sending device as well: so a push to it would have come before.
    await sendMany(others[2], alice, 1, 'answer');
    await sending.until('the answer', () => sending.items.length > 0);
    expect(sending.items).toMatchObject([{ position: 4, message: { clientId: 'answer-0', sender: bob } }]);
  });

  test('positions are dense and rising over all conversations of a user', async () => {
    const bob = await cluster.connect(cluster.user('bob'));
    const friends = await Promise.all([1, 2, 3].map(() => cluster.connect(cluster.user('friend'))));
    await Promise.all(friends.map((friend) => sendMany(friend, bob.welcome.user, 50)));
    await bob.until('150 items', () => bob.items.length === 150);
    expect(positionsOf(bob)).toEqual(numbers(1, 150));
    for (const friend of friends) {
      const seqs = bob.items
        .filter(({ message }) => message.sender === friend.welcome.user)
        .map(({ message }) => message.seq);
      expect(seqs).toEqual(numbers(1, 50));
    }
  });

  test('a backlog may hold messages of the device itself, and never lacks those of others', async () => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    let phone = await cluster.connect(alice);
    const friend = await cluster.connect(bob);
    await sendMany(friend, alice, 1, 'before');
    await sendMany(phone, bob, 2, 'own');
    await sendMany(friend, alice, 1, 'after');
    await phone.until('both', () => phone.items.length === 2);
    expect(positionsOf(phone)).toEqual([1, 4]);
    await phone.close();

    // Nothing was received: all of it comes again, its own messages between the others.
    phone = await cluster.connect(alice);
    await phone.until('the backlog', () => phone.items.length === 4);
    expect(phone.items.map(({ position, message }) => [position, message.clientId])).toEqual([
      [1, 'before-0'],
      [2, 'own-0'],
      [3, 'own-1'],
      [4, 'after-0'],
    ]);
  });

  test('what is not received comes again on the same connection, and no more once it was received', async () => {
    const bob = await cluster.connect(cluster.user('bob'));
    const alice = await cluster.connect(cluster.user('alice'));
    await sendMany(alice, bob.welcome.user, 3);
    await bob.until('the first time', () => bob.items.length === 3);
    bob.received(1);
    const began = Date.now();
    await bob.until('the second time', () => bob.items.length > 3, 15_000);
    expect(Date.now() - began).toBeGreaterThan(4500);
    expect(positionsOf(bob)).toEqual([1, 2, 3, 2, 3]);
    expect(bob.items[3]).toEqual(bob.items[1]);
    bob.received(3);
    await sendMany(alice, bob.welcome.user, 1, 'next');
    await bob.until('the next', () => bob.items.length === 6);
    expect(positionsOf(bob).at(-1)).toBe(4);
  });
});

describe('backlog', () => {
  test('comes in pages of at most 200 items, the next only when the last of the one before was received', async () => {
    const bob = cluster.user('bob');
    const alice = await cluster.connect(cluster.user('alice'));
    await sendMany(alice, bob, 450);
    await cluster.settled('inbox');

    const phone = await cluster.connect(bob);
    const witness = await cluster.connect(bob, { device: 'witness', mode: 'lazy' });
    await phone.until('the first page', () => phone.items.length === 200);
    phone.received(199);
    await sendMany(alice, bob, 1, 'live');
    await witness.until('the live message', () => witness.bodies.length === 1);
    await phone.settle();
    expect(positionsOf(phone)).toEqual(numbers(1, 200));

    phone.received(200);
    await phone.until('the second page', () => phone.items.length === 400);
    await phone.settle();
    expect(positionsOf(phone)).toEqual(numbers(1, 400));

    phone.received(400);
    await phone.until('the rest', () => phone.items.length === 451);
    expect(positionsOf(phone)).toEqual(numbers(1, 451));
    for (const { items } of phone.all('deliver')) expect(items.length).toBeLessThanOrEqual(200);
    expect(phone.gaps).toEqual([]);

    // Live again: nothing has to be received first.
    await sendMany(alice, bob, 1, 'more');
    await phone.until('live again', () => phone.items.length === 452);
  });

  test('comes in pages as small as the device wants them', async () => {
    const bob = cluster.user('bob');
    const alice = await cluster.connect(cluster.user('alice'));
    await sendMany(alice, bob, 60);
    await cluster.settled('inbox');

    const phone = await cluster.connect(bob, { pageItems: 20 });
    expect(phone.welcome.features).toContain('paced');
    expect(phone.welcome.limits.pageItems).toBe(200);
    await phone.until('the first page', () => phone.items.length === 20);
    await phone.settle();
    expect(positionsOf(phone)).toEqual(numbers(1, 20));

    phone.send({ type: 'received', position: 20, pageItems: 1 });
    await phone.until('one item', () => phone.items.length === 21);
    await phone.settle();
    // Nothing new is received, yet the size of the next page changes.
    phone.send({ type: 'received', position: 20, pageItems: 10 });
    phone.received(21);
    await phone.until('ten items', () => phone.items.length === 31);
    await phone.settle();
    expect(positionsOf(phone)).toEqual(numbers(1, 31));

    const page = await phone.request({ type: 'sync', after: 21 }, 'page');
    expect(page.items).toHaveLength(39);
    await phone.close();
  });

  test.each([
    ['one byte', 'a'],
    ['three bytes', '€'],
  ])('a frame ends at 512 KiB, of characters of %s too', async (_, character) => {
    const bob = cluster.user('bob');
    const alice = await cluster.connect(cluster.user('alice'));
    const width = Buffer.byteLength(character);
    const body = (i: number) => character.repeat(Math.floor((2600 + (i % 7) * 1900) / width));
    await sendMany(alice, bob, 250, 'big', body);
    await cluster.settled('inbox');

    const phone = await cluster.connect(bob);
    await phone.until('everything', () => {
      phone.received(phone.items.at(-1)?.position ?? 0);
      return phone.items.length === 250;
    });
    expect(phone.bodies).toEqual(numbers(0, 250).map(body));
    const sizes = phone.texts
      .filter((_text, i) => phone.frames[i]!.type === 'deliver')
      .map((text) => Buffer.byteLength(text));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(524_288);
    expect(Math.max(...sizes)).toBeGreaterThan(400_000);
  });

  test('live frames end at 512 KiB as well', async () => {
    const bob = await cluster.connect(cluster.user('bob'));
    const alice = await cluster.connect(cluster.user('alice'));
    cluster.pause('fanout');
    try {
      await sendMany(alice, bob.welcome.user, 120, 'big', () => '€'.repeat(5400));
    } finally {
      cluster.resume('fanout');
    }
    await bob.until('everything', () => {
      bob.received(bob.items.at(-1)?.position ?? 0);
      return bob.items.length === 120;
    });
    expect(positionsOf(bob)).toEqual(numbers(1, 120));
    expect(Math.max(...bob.texts.map((text) => Buffer.byteLength(text)))).toBeLessThanOrEqual(524_288);
  });
});

describe('several devices', () => {
  test('each has a position of its own', async () => {
    const bob = cluster.user('bob');
    const alice = await cluster.connect(cluster.user('alice'));
    const connectBoth = (): Promise<Welcomed[]> =>
      Promise.all([cluster.connect(bob, { device: 'phone' }), cluster.connect(bob, { device: 'tablet', gateway: 2 })]);
    const [phone, tablet] = (await connectBoth()) as [Welcomed, Welcomed];
    await sendMany(alice, bob, 10);
    await Promise.all([phone, tablet].map((device) => device.until('all ten', () => device.items.length === 10)));
    phone.received(4);
    tablet.received(10);
    await Promise.all([phone.close(), tablet.close()]);
    await sendMany(alice, bob, 2, 'later');
    await cluster.settled('inbox');

    const [phoneAgain, tabletAgain] = (await connectBoth()) as [Welcomed, Welcomed];
    expect([phoneAgain.welcome.position, tabletAgain.welcome.position]).toEqual([4, 10]);
    expect([phoneAgain.welcome.head, tabletAgain.welcome.head]).toEqual([12, 12]);
    await phoneAgain.until('its backlog', () => phoneAgain.items.length === 8);
    await tabletAgain.until('its backlog', () => tabletAgain.items.length === 2);
    expect(positionsOf(phoneAgain)).toEqual(numbers(5, 8));
    expect(positionsOf(tabletAgain)).toEqual([11, 12]);
  });
});

describe('connecting while messages come', () => {
  test('loses nothing, repeats nothing that was received, and keeps the order', async () => {
    const bob = cluster.user('bob');
    const alice = await cluster.connect(cluster.user('alice'));
    const total = 1500;
    const sending = (async () => {
      for (let i = 0; i < total; i += 25) await sendMany(alice, bob, 25, `m${i}`, (j) => i + j);
    })();
    const seen: number[] = [];
    for (let round = 0; seen.length < total; round++) {
      const phone = await cluster.connect(bob, { gateway: (round % 2) + 1 });
      let received = 0;
      await phone.until('some items', () => {
        const last = phone.items.at(-1)?.position ?? 0;
        if (last > received) phone.received((received = last));
        return phone.items.length >= 60 || seen.length + phone.items.length >= total;
      });
      // Everything that came until the close was received.
      phone.received(phone.items.at(-1)!.position);
      const taken = phone.items.length;
      await phone.close();
      const all = positionsOf(phone).slice(0, taken);
      expect(all).toEqual(numbers(all[0]!, all.length));
      seen.push(...all);
    }
    await sending;
    expect(seen).toEqual(numbers(1, total));
  });
});

test('Redis that forgets its scripts costs nothing', async () => {
  const [bob, alice] = [await cluster.connect(cluster.user('bob')), await cluster.connect(cluster.user('alice'))];
  for (let round = 1; round <= 5; round++) {
    await cluster.redis.script('FLUSH');
    await sendMany(alice, bob.welcome.user, 20, `round-${round}`);
    await bob.until('all of them', () => bob.items.length === round * 20);
    bob.received(round * 20);
  }
  expect(positionsOf(bob)).toEqual(numbers(1, 100));
});
