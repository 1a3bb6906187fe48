import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { sendMany } from '../../support/sending.ts';

/** How far others have received and read what a user wrote: told as it moves, and answered when asked for. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { INBOX_MAX_ENTRIES: '100', RECEIPTS_MAX_MEMBERS: '5' } });
});
afterAll(() => cluster.stop());

type Receipt = { user: string; receivedSeq: number; readSeq: number };

async function pair(bobAt: { gateway?: number } = { gateway: 2 }) {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob'), bobAt),
  ]);
  return { alice, bob, a: alice.welcome.user, b: bob.welcome.user };
}
const service = (): string => cluster.token('back-end', { scope: 'service' });
const told = (device: Welcomed, kind: 'received' | 'read'): number[] =>
  device
    .all('receipt')
    .filter((receipt) => receipt.kind === kind)
    .map(({ seq }) => seq);
const asked = async (device: Welcomed, target: object): Promise<Receipt[]> =>
  (await device.request({ type: 'receipts', ...target }, 'receipts')).members;
/** Resolves once the receipts say this. */
const eventually = (device: Welcomed, target: object, expected: Receipt[]): Promise<void> =>
  vi.waitFor(async () => expect(await asked(device, target)).toEqual(expected), { timeout: 5000, interval: 50 });
const conversationOf = (device: Welcomed): string => device.all('accepted')[0]!.message.conversation;

async function read(device: Welcomed, conversation: string, seq: number): Promise<void> {
  await device.request({ type: 'read', conversation, seq }, 'read');
}
let sets = 0;
async function sendAndGet(from: Welcomed, to: Welcomed, target: object, count: number): Promise<string> {
  const before = to.items.length;
  await sendMany(from, target, count, `set${++sets}`);
  await to.until('the messages', () => to.items.length >= before + count);
  return conversationOf(from);
}
const confirm = (device: Welcomed): void =>
  device.send({ type: 'received', position: Math.max(...device.items.map(({ position }) => position ?? 0)) });

/** Gives every later frame a chance to come: what this device asks is answered after it. */
async function nothingMore(device: Welcomed, from: Welcomed): Promise<void> {
  const seen = device.all('receipt').length;
  // A note waits for at most a second, and a hint at a device as long.
  await new Promise((resolve) => setTimeout(resolve, 2500));
  await from.settle();
  await device.settle();
  expect(device.all('receipt').slice(seen)).toEqual([]);
}

describe('receipt', () => {
  test('says received, then read, each within two seconds and never a lower seq after a higher one', async () => {
    const { alice, bob, b } = await pair();
    const conversation = await sendAndGet(alice, bob, { to: b }, 3);
    confirm(bob);
    await alice.until('received 3', () => told(alice, 'received').at(-1) === 3, 2000);
    await read(bob, conversation, 3);
    await alice.until('read 3', () => told(alice, 'read').at(-1) === 3, 2000);
    expect(alice.all('receipt').at(-1)).toEqual({ type: 'receipt', conversation, user: b, kind: 'read', seq: 3 });
    for (const kind of ['received', 'read'] as const)
      expect(told(alice, kind)).toEqual(told(alice, kind).toSorted((one, other) => one - other));
    expect(bob.all('receipt')).toEqual([]);
  });

  test('is not due to a sender who is away: it asks, and lists say it', async () => {
    const { alice, bob, a, b } = await pair();
    const conversation = await sendAndGet(alice, bob, { to: b }, 3);
    await alice.close();
    confirm(bob);
    await read(bob, conversation, 3);
    // Noted before she comes back.
    await vi.waitFor(async () => {
      const { body } = await cluster.http(service(), 'GET', `/conversations/${conversation}/receipts`);
      expect((body as { members: Receipt[] }).members).toContainEqual({ user: b, receivedSeq: 3, readSeq: 3 });
    }, 5000);
    const again = await cluster.connect(a);
    expect(await asked(again, { to: b })).toEqual([{ user: b, receivedSeq: 3, readSeq: 3 }]);
    const peer = { peerReceivedSeq: 3, peerReadSeq: 3 };
    const get = async (path: string) => (await cluster.http(cluster.token(a), 'GET', path)).body;
    expect(await get(`/conversations/${conversation}`)).toMatchObject(peer);
    expect(await get('/conversations')).toMatchObject({ conversations: [peer] });
    expect(await get(`/conversations/${conversation}/receipts`)).toEqual({
      conversation,
      members: [{ user: b, receivedSeq: 3, readSeq: 3 }],
      more: false,
    });
    expect(again.all('receipt')).toEqual([]);
  });

  test('comes when the other one answers without a read', async () => {
    const { alice, bob, a, b } = await pair();
    await sendAndGet(alice, bob, { to: b }, 3);
    await sendMany(bob, { to: a }, 1);
    await alice.until('read', () => told(alice, 'read').at(-1) === 4, 2000);
  });

  test('comes of each message of a lively conversation that is read at once, confirmed or not', async () => {
    const { alice, bob, b } = await pair();
    for (let seq = 1; seq <= 4; seq++) {
      const conversation = await sendAndGet(alice, bob, { to: b }, 1);
      await read(bob, conversation, seq);
      if (seq % 2 === 0) confirm(bob);
      await alice.until(`read ${seq}`, () => told(alice, 'read').includes(seq), 3000);
    }
  });

  test('of 500 messages in a second are at most three, and the last says 500', async () => {
    const { alice, bob, b } = await pair();
    bob.confirm();
    const began = performance.now();
    await sendMany(alice, { to: b }, 500);
    await alice.until('received 500', () => told(alice, 'received').at(-1) === 500, 5000);
    // One at once, then one a second: a busy machine takes longer, and may tell one more for each second.
    const seconds = Math.ceil((performance.now() - began) / 1000);
    expect(told(alice, 'received').length).toBeLessThanOrEqual(1 + Math.max(2, seconds));
  });

  test('is not told of who has been removed', async () => {
    const { alice, bob, a, b } = await pair();
    const id = cluster.user('group');
    await cluster.http(cluster.token(a), 'POST', '/conversations', { id, members: [b] });
    await cluster.settled();
    await sendAndGet(alice, bob, { conversation: id }, 3);
    await cluster.http(cluster.token(a), 'DELETE', `/conversations/${id}/members/${b}`);
    confirm(bob);
    await nothingMore(alice, bob);
    expect(await asked(alice, { conversation: id })).toEqual([]);
    expect(await bob.request({ type: 'receipts', conversation: id }, 'error')).toMatchObject({ code: 'not_found' });
  });

  test('is told to whoever wrote a part of what is newly covered, and to nobody besides', async () => {
    const { alice, bob, a, b } = await pair();
    const carol = await cluster.connect(cluster.user('carol'));
    const id = cluster.user('group');
    await cluster.http(cluster.token(a), 'POST', '/conversations', { id, members: [b, carol.welcome.user] });
    await cluster.settled();
    await sendAndGet(alice, bob, { conversation: id }, 2);
    confirm(bob);
    await alice.until('received 2', () => told(alice, 'received').includes(2), 3000);
    await sendAndGet(carol, bob, { conversation: id }, 1);
    confirm(bob);
    await carol.until('received 3', () => told(carol, 'received').includes(3), 3000);
    await read(bob, id, 3);
    for (const device of [alice, carol]) await device.until('read 3', () => told(device, 'read').includes(3), 3000);
    expect(told(alice, 'received')).toEqual([2]);
    expect(told(carol, 'received')).toEqual([3]);
    expect(bob.all('receipt')).toEqual([]);
  });
});

describe('groups', () => {
  test('of few members say it of each, and those of too many of nobody, until they have shrunk', async () => {
    const owner = await cluster.connect(cluster.user('owner'));
    const members = await Promise.all(
      Array.from({ length: 5 }, (_, i) => cluster.connect(cluster.user('member'), { gateway: 1 + (i % 2) })),
    );
    const users = members.map(({ welcome }) => welcome.user);
    const token = cluster.token(owner.welcome.user);
    const id = cluster.user('group');
    await cluster.http(token, 'POST', '/conversations', { id, members: users });
    await cluster.settled();
    await sendMany(owner, { conversation: id }, 1);
    for (const member of members) {
      await member.until('the message', () => member.items.length > 0);
      confirm(member);
      await read(member, id, 1);
    }
    await nothingMore(owner, members[0]!);
    expect(await asked(owner, { conversation: id })).toEqual([]);

    await cluster.http(token, 'DELETE', `/conversations/${id}/members/${users[0]}`);
    await sendAndGet(owner, members[1]!, { conversation: id }, 1);
    await cluster.settled();
    for (const member of members.slice(1)) await read(member, id, 3);
    await vi.waitFor(() => expect(new Set(owner.all('receipt').map(({ user }) => user)).size).toBe(4), 6000);
    const shown = await asked(owner, { conversation: id });
    expect(shown.map(({ user }) => user).sort()).toEqual(users.slice(1).sort());
    for (const receipt of shown) expect(receipt).toMatchObject({ receivedSeq: 3, readSeq: 3 });
    const seen = await cluster.http(service(), 'GET', `/conversations/${id}/receipts`);
    expect((seen.body as { members: Receipt[] }).members).toHaveLength(5);
  });
});

describe('a user whose receipts are off', () => {
  test('tells nobody and is told nothing, but its own devices hear of each other', async () => {
    const { alice, bob, a, b } = await pair();
    const tablet = await cluster.connect(b, { device: 'tablet' });
    const conversation = await sendAndGet(alice, bob, { to: b }, 2);
    confirm(bob);
    await eventually(alice, { to: b }, [{ user: b, receivedSeq: 2, readSeq: 0 }]);
    await alice.until('received 2', () => told(alice, 'received').includes(2), 3000);
    const seen = alice.all('receipt').length;
    await cluster.http(cluster.token(b), 'PATCH', '/settings', { receipts: false });
    for (const device of [bob, tablet]) await device.find('settings');
    await sendAndGet(alice, bob, { to: b }, 1);
    confirm(bob);
    await read(bob, conversation, 3);
    await tablet.find('read', ({ re, seq }) => re === undefined && seq === 3);
    await sendAndGet(bob, alice, { to: a }, 1);
    confirm(alice);
    await read(alice, conversation, 4);
    await nothingMore(alice, bob);
    expect(alice.all('receipt')).toHaveLength(seen);
    expect(bob.all('receipt')).toEqual([]);
    expect(await asked(alice, { to: b })).toEqual([]);
    expect(await asked(bob, { to: a })).toEqual([]);
    const { body } = await cluster.http(cluster.token(a), 'GET', `/conversations/${conversation}`);
    expect(body).not.toHaveProperty('peerReadSeq');

    await cluster.http(cluster.token(b), 'PATCH', '/settings', { receipts: true });
    await bob.find('settings', ({ changed }) => changed.receipts === true);
    await sendAndGet(alice, bob, { to: b }, 1);
    await read(bob, conversation, 5);
    await alice.until('read 5', () => told(alice, 'read').includes(5), 3000);
  });
});

describe('received', () => {
  test('does not count a gap that was only settled', async () => {
    const { alice, bob, b } = await pair();
    await bob.close();
    await sendMany(alice, { to: b }, 300);
    await cluster.settled();
    const again = await cluster.connect(b, { gateway: 2 });
    const gap = await again.until('the gap', () => again.gaps[0]);
    await again.until('the items', () => again.items.length > 0);
    again.send({ type: 'received', position: gap.position });
    await again.settle();
    await nothingMore(alice, again);
    for (const { receivedSeq } of await asked(alice, { to: b })) expect(receivedSeq).toBeLessThan(gap.toSeq + 1);
    again.confirm();
    confirm(again);
    await alice.until('received 300', () => told(alice, 'received').includes(300), 10_000);
  });

  test('is told of a device that reads its inbox itself, by frames and by HTTP', async () => {
    const { alice, bob, b } = await pair();
    await bob.close();
    const pulling = await cluster.connect(b, { device: 'pulling', mode: 'pull', gateway: 2 });
    await sendMany(alice, { to: b }, 3);
    await cluster.settled();
    const page = await pulling.request({ type: 'sync', after: 0 }, 'page');
    pulling.send({ type: 'received', position: page.next });
    await alice.until('received 3', () => told(alice, 'received').includes(3), 3000);
    await sendMany(alice, { to: b }, 2, 'more');
    await cluster.settled();
    const moved = await cluster.http(cluster.token(b), 'POST', '/inbox/received', { device: 'http', position: 5 });
    expect(moved.status).toBe(200);
    await alice.until('received 5', () => told(alice, 'received').includes(5), 3000);
    expect(pulling.all('receipt')).toEqual([]);
  });
});

describe('receipts', () => {
  test('are nobody before the first message of two users, and not_found for who is no member', async () => {
    const { alice, bob, a } = await pair();
    expect(await asked(alice, { to: cluster.user('nobody') })).toEqual([]);
    const id = cluster.user('group');
    await cluster.http(cluster.token(a), 'POST', '/conversations', { id, members: [a] });
    expect(await bob.request({ type: 'receipts', conversation: id }, 'error')).toMatchObject({ code: 'not_found' });
    expect(await bob.request({ type: 'receipts' }, 'error')).toMatchObject({ code: 'bad_request' });
    const path = `/conversations/${id}/receipts`;
    expect((await cluster.http(cluster.token(bob.welcome.user), 'GET', path)).status).toBe(404);
  });

  test('never exceed the last seq, whatever was confirmed', async () => {
    const { alice, bob, b } = await pair();
    const conversation = await sendAndGet(alice, bob, { to: b }, 2);
    await read(bob, conversation, 999);
    await eventually(alice, { to: b }, [{ user: b, receivedSeq: 2, readSeq: 2 }]);
    await alice.until('read 2', () => told(alice, 'read').includes(2), 3000);
    expect(Math.max(...alice.all('receipt').map(({ seq }) => seq))).toBe(2);
  });
});
