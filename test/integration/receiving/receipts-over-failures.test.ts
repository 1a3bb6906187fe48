import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { patiently } from '../../support/patiently.ts';
import { sendMany } from '../../support/sending.ts';
import { createUnloader } from '../../support/unloading.ts';

/** Receipts when a gateway dies, when Redis comes back empty, and when a conversation is unloaded. */

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster({ gateways: 2 });
});
afterEach(() => cluster.stop());

type Receipt = { user: string; receivedSeq: number; readSeq: number };
const receiptsOf = async (conversation: string): Promise<Receipt[]> => {
  const token = cluster.token('back-end', { scope: 'service' });
  const { status, body } = await cluster.http(token, 'GET', `/conversations/${conversation}/receipts`);
  expect(status).toBe(200);
  return (body as { members: Receipt[] }).members;
};
const ofBob = async (conversation: string): Promise<Receipt | undefined> =>
  (await receiptsOf(conversation)).find(({ user }) => user === 'bob');

test('a read that was answered before its gateway was killed is noted by the next one', async () => {
  const alice = await cluster.connect('alice');
  const bob = await cluster.connect('bob', { gateway: 2 });
  await sendMany(alice, { to: 'bob' }, 5);
  const { conversation } = alice.all('accepted')[0]!.message;
  await bob.request({ type: 'read', conversation, seq: 4 }, 'read');
  await cluster.end('web-2', 'SIGKILL');
  await cluster.start('web-2');
  expect((await ofBob(conversation))?.readSeq ?? 0).toBeLessThanOrEqual(5);
  const again = await patiently(cluster, 'bob', { gateway: 2 });
  expect(await again.request({ type: 'read', conversation, seq: 4 }, 'read')).toMatchObject({ seq: 4 });
  await vi.waitFor(async () => expect(await ofBob(conversation)).toMatchObject({ readSeq: 4 }), 5000);
  await alice.until('read 4', () => alice.all('receipt').some(({ kind, seq }) => kind === 'read' && seq === 4));
});

test('a gateway that stops in good order has noted everything before', async () => {
  const alice = await cluster.connect('alice');
  const bob = await cluster.connect('bob', { gateway: 2 });
  await sendMany(alice, { to: 'bob' }, 5);
  const { conversation } = alice.all('accepted')[0]!.message;
  for (const seq of [1, 2, 3, 4, 5]) await bob.request({ type: 'read', conversation, seq }, 'read');
  await cluster.end('web-2');
  expect(await ofBob(conversation)).toMatchObject({ receivedSeq: 5, readSeq: 5 });
});

test('those of a direct conversation stay while it is unloaded, those of a group go', async () => {
  const alice = await cluster.connect('alice');
  const bob = await cluster.connect('bob', { gateway: 2 });
  await sendMany(alice, { to: 'bob' }, 3);
  const direct = alice.all('accepted')[0]!.message.conversation;
  await cluster.http(cluster.token('alice'), 'POST', '/conversations', { id: 'group', members: ['bob'] });
  await sendMany(alice, { conversation: 'group' }, 3, 'g');
  for (const conversation of [direct, 'group']) {
    await bob.request({ type: 'read', conversation, seq: 3 }, 'read');
    await vi.waitFor(async () => expect(await ofBob(conversation)).toMatchObject({ readSeq: 3 }), 5000);
  }
  await cluster.settled();
  const unloader = createUnloader(cluster);
  try {
    await unloader.walk();
    for (const conversation of [direct, 'group']) expect(await unloader.isUnloaded(conversation)).toBe(true);
  } finally {
    await unloader.close();
  }
  expect(await ofBob(direct)).toMatchObject({ readSeq: 3 });
  expect(await receiptsOf('group')).toEqual([]);
});

test('after a loss of Redis there are none, until something moves; no old seq stands above the new ones', async () => {
  const alice = await cluster.connect('alice');
  const bob = await cluster.connect('bob', { gateway: 2 });
  await sendMany(alice, { to: 'bob' }, 5);
  const { conversation } = alice.all('accepted')[0]!.message;
  await bob.request({ type: 'read', conversation, seq: 5 }, 'read');
  await vi.waitFor(async () => expect(await ofBob(conversation)).toMatchObject({ readSeq: 5 }), 5000);
  await cluster.settled();
  const { keys, redis } = cluster;
  const key = keys.receipts(keys.partitionOf(conversation), conversation);
  const kept = await redis.dumpBuffer(key);
  await cluster.wipe();
  const sender = await patiently(cluster, 'alice');
  const reader = await patiently(cluster, 'bob', { gateway: 2 });
  await sendMany(sender, { to: 'bob' }, 1, 'after');
  // As if the Redis that came back still had the receipts of before.
  await redis.restore(key, 0, kept, 'REPLACE');
  expect(await ofBob(conversation)).toBeUndefined();
  const { seq } = sender.all('accepted')[0]!.message;
  await reader.request({ type: 'read', conversation, seq }, 'read');
  await vi.waitFor(async () => expect(await ofBob(conversation)).toMatchObject({ readSeq: seq }), 5000);
  expect((await receiptsOf(conversation)).every(({ readSeq }) => readSeq <= seq)).toBe(true);
});
