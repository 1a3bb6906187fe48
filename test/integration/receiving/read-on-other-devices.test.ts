import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { sendMany } from '../../support/sending.ts';

/** The read state belongs to the user: every device of it hears when it moves, and can ask for it. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { FANOUT_MAX_MEMBERS: '3' } });
});
afterAll(() => cluster.stop());

/** Alice with a phone and a laptop at different gateways, and messages of bob to her. */
async function withTwoDevices(messages: number) {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const [phone, laptop, sender] = await Promise.all([
    cluster.connect(alice, { device: 'phone' }),
    cluster.connect(alice, { device: 'laptop', gateway: 2 }),
    cluster.connect(bob),
  ]);
  await sendMany(sender, { to: alice }, messages);
  const { conversation } = sender.all('accepted')[0]!.message;
  return { alice, bob, phone, laptop, sender, conversation };
}
const unasked = (device: Welcomed) => device.all('read').filter(({ re }) => re === undefined);

describe('read without `re`', () => {
  test('comes to the other devices within a second, and not to the one that has read', async () => {
    const { phone, laptop, sender, conversation } = await withTwoDevices(3);
    const pulling = await cluster.connect(phone.welcome.user, { device: 'pull', mode: 'pull' });
    await phone.request({ type: 'read', conversation, seq: 2 }, 'read');
    await laptop.until('the read seq', () => unasked(laptop)[0], 1000);
    expect(unasked(laptop)).toEqual([{ type: 'read', conversation, seq: 2 }]);
    await phone.request({ type: 'read', conversation, seq: 1 }, 'read');
    for (const device of [phone, pulling, sender]) {
      await device.settle();
      expect(unasked(device)).toEqual([]);
    }
    expect(unasked(laptop)).toHaveLength(1);
  });

  test('comes when a back end, or the user by HTTP, has moved it', async () => {
    const { alice, phone, laptop, conversation } = await withTwoDevices(3);
    await cluster.http(cluster.token(alice), 'PUT', `/conversations/${conversation}/read`, { seq: 3 });
    for (const device of [phone, laptop])
      expect(await device.find('read')).toEqual({ type: 'read', conversation, seq: 3 });
  });

  test('comes when the user has written from another device', async () => {
    const { bob, phone, laptop, conversation } = await withTwoDevices(2);
    await sendMany(phone, { to: bob }, 1);
    expect(await laptop.find('read')).toEqual({ type: 'read', conversation, seq: 3 });
    const { body } = await cluster.http(cluster.token(laptop.welcome.user), 'GET', `/conversations/${conversation}`);
    expect(body).toMatchObject({ readSeq: 3, unread: 0 });
    await phone.settle();
    expect(unasked(phone)).toEqual([]);
  });

  test('comes when the user has written into a large group', async () => {
    const { alice, phone, laptop } = await withTwoDevices(1);
    const id = cluster.user('group');
    const members = Array.from({ length: 5 }, () => cluster.user('member'));
    await cluster.http(cluster.token(alice), 'POST', '/conversations', { id, members });
    await cluster.settled();
    const again = await cluster.connect(alice, { device: 'tablet', gateway: 2 });
    await sendMany(phone, { conversation: id }, 1);
    expect(await again.find('read')).toEqual({ type: 'read', conversation: id, seq: 1 });
    expect(await laptop.find('read', ({ conversation }) => conversation === id)).toMatchObject({ seq: 1 });
  });

  test('of many moves within a second comes at once and then joined, in rising order', async () => {
    const { phone, laptop, conversation } = await withTwoDevices(100);
    for (let seq = 1; seq <= 100; seq++) phone.send({ type: 'read', conversation, seq });
    await laptop.until('the last read seq', () => unasked(laptop).at(-1)?.seq === 100);
    const seqs = unasked(laptop).map(({ seq }) => seq);
    expect(seqs.length).toBeLessThanOrEqual(4);
    expect(seqs).toEqual(seqs.toSorted((one, other) => one - other));
  });
});

describe('reads', () => {
  test('says how far the user has read, as lists do, and leaves out what it is no member of', async () => {
    const { alice, bob, phone, conversation } = await withTwoDevices(5);
    const group = cluster.user('group');
    await cluster.http(cluster.token(bob), 'POST', '/conversations', { id: group, members: [alice] });
    const foreign = cluster.user('group');
    await cluster.http(cluster.token(bob), 'POST', '/conversations', { id: foreign, members: [bob] });
    await phone.request({ type: 'read', conversation, seq: 3 }, 'read');
    await cluster.settled();
    expect(
      await phone.request(
        { type: 'reads', conversations: [conversation, foreign, group, conversation, 'no'] },
        'reads',
      ),
    ).toMatchObject({
      conversations: [
        { conversation, readSeq: 3, unread: 2 },
        { conversation: group, readSeq: 0, unread: 0 },
      ],
    });
  });

  test('takes 1 to 200 ids', async () => {
    const { phone } = await withTwoDevices(1);
    const ids = Array.from({ length: 200 }, (_, i) => `c${i}`);
    expect(await phone.request({ type: 'reads', conversations: ids }, 'reads')).toMatchObject({ conversations: [] });
    for (const conversations of [[...ids, 'more'], [], ['not an id'], 'c1'])
      expect(await phone.request({ type: 'reads', conversations }, 'error')).toMatchObject({ code: 'bad_request' });
  });
});
