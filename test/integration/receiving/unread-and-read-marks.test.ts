import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { fillInbox } from '../../support/inbox.ts';
import { sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

/** Alice has sent bob `count` messages; `bob` is connected after they reached the inbox. */
async function connectedAfter(count: number): Promise<{ alice: Welcomed; bob: Welcomed; conversation: string }> {
  const { alice, bob, conversation } = await fillInbox(cluster, count);
  return { alice, bob: await cluster.connect(bob), conversation };
}

async function unreadOf(user: string) {
  await cluster.settled('inbox');
  return (await cluster.connect(user, { device: 'looking', mode: 'lazy' })).welcome.unread;
}

test('unread in `welcome` tells what is new, from whom and what it was', async () => {
  const { alice, bob, conversation } = await connectedAfter(3);
  expect(bob.welcome.unread).toEqual({
    total: 3,
    conversations: [
      {
        conversation,
        peer: alice.welcome.user,
        unread: 3,
        readSeq: 0,
        lastSeq: 3,
        last: {
          ...alice.all('accepted')[2]!.message,
          sender: alice.welcome.user,
          clientId: 'm-2',
          kind: 'text',
          body: 2,
          class: 'normal',
        },
      },
    ],
    more: false,
  });
  expect(await unreadOf(alice.welcome.user)).toEqual({ total: 0, conversations: [], more: false });
});

test('`read` answers the seq in force, never goes back and is clamped to the last seq', async () => {
  const { bob, conversation, alice } = await connectedAfter(5);
  const read = async (seq: number, target: object = { conversation }) => {
    const { type: _, re: __, ...answer } = await bob.request({ type: 'read', ...target, seq }, 'read');
    return answer;
  };
  expect(await read(0)).toEqual({ conversation, seq: 0 });
  expect(await read(2)).toEqual({ conversation, seq: 2 });
  expect(await read(1)).toEqual({ conversation, seq: 2 });
  expect(await unreadOf(bob.welcome.user)).toMatchObject({
    total: 3,
    conversations: [{ unread: 3, readSeq: 2, lastSeq: 5 }],
  });
  expect(await read(1_000_000, { to: alice.welcome.user })).toEqual({ conversation, seq: 5 });
  expect(await unreadOf(bob.welcome.user)).toEqual({ total: 0, conversations: [], more: false });
});

test("sending moves the sender's read seq to what was sent", async () => {
  const { alice, bob } = await connectedAfter(3);
  await sendMany(bob, alice.welcome.user, 1, 'answer');
  expect((await unreadOf(bob.welcome.user)).total).toBe(0);
  await sendMany(alice, bob.welcome.user, 2, 'more');
  expect(await unreadOf(bob.welcome.user)).toMatchObject({
    total: 2,
    conversations: [{ unread: 2, readSeq: 4, lastSeq: 6 }],
  });
});

test('read before the first use of a direct conversation answers 0', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const other = cluster.user('bob');
  const { conversation, seq } = await alice.request({ type: 'read', to: other, seq: 5 }, 'read');
  expect(seq).toBe(0);
  await sendMany(alice, other, 1);
  expect(alice.all('accepted')[0]!.message.conversation).toBe(conversation);
  const bob = await cluster.connect(other);
  expect(await bob.request({ type: 'read', to: alice.welcome.user, seq: 0 }, 'read')).toMatchObject({
    conversation,
    seq: 0,
  });
});

test('a user who is not a member cannot set a read mark', async () => {
  const { conversation } = await connectedAfter(1);
  const mallory = await cluster.connect(cluster.user('mallory'));
  const { re: _, ...foreign } = await mallory.request({ type: 'read', conversation, seq: 1 }, 'error');
  const { re: __, ...unknown } = await mallory.request({ type: 'read', conversation: 'nothing', seq: 1 }, 'error');
  expect(foreign).toMatchObject({ code: 'not_found' });
  expect(foreign).toEqual(unknown);
});

test('a read of a message that has not reached the inbox holds when it does', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = await cluster.connect(cluster.user('bob'));
  cluster.pause('fanout');
  try {
    // Texts of this length wait for the fanout.
    await sendMany(alice, bob.welcome.user, 3, 'long', () => 'x'.repeat(10_000));
    expect((await bob.request({ type: 'read', to: alice.welcome.user, seq: 2 }, 'read')).seq).toBe(2);
  } finally {
    cluster.resume('fanout');
  }
  expect(await unreadOf(bob.welcome.user)).toMatchObject({
    total: 1,
    conversations: [{ unread: 1, readSeq: 2, lastSeq: 3 }],
  });
});

test('the 100 newest conversations are shown, the total counts all', async () => {
  const bob = cluster.user('bob');
  const friends = Array.from({ length: 103 }, () => cluster.user('friend'));
  const service = cluster.token('backend', { scope: 'service' });
  // One after the other, so that newest means something.
  const sender = await cluster.connect(friends[0]!);
  await sendMany(sender, bob, 2);
  for (const [i, friend] of friends.entries()) {
    if (i === 0) continue;
    const { status } = await cluster.http(service, 'POST', '/messages', {
      clientId: 'a',
      sender: friend,
      to: bob,
      kind: 'text',
      body: i,
    });
    expect(status).toBe(201);
    // The summary follows the inbox, into which messages of different partitions may come in another order.
    await cluster.settled('inbox');
  }
  const unread = await unreadOf(bob);
  expect(unread).toMatchObject({ total: 104, more: true });
  expect(unread.conversations.map(({ peer }) => peer)).toEqual(friends.slice(3).reverse());
});
