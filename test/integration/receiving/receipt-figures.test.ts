import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { sendMany } from '../../support/sending.ts';

/** What receipts of the largest group that has any cost whoever writes there. Prints its figure. */

const [size, messages] = [100, 300];
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({
    gateways: 2,
    env: { RECEIPTS_MAX_MEMBERS: String(size), MAX_UNAUTHENTICATED_PER_ADDRESS: '0' },
  });
});
afterAll(() => cluster.stop());

test('all members receive and read everything: the sender gets few frames, and all of it is told', async () => {
  const sender = await cluster.connect(cluster.user('sender'));
  const members = await Promise.all(
    Array.from({ length: size - 1 }, (_, i) => cluster.connect(cluster.user('member'), { gateway: 1 + (i % 2) })),
  );
  const id = cluster.user('group');
  const users = members.map(({ welcome }) => welcome.user);
  const made = await cluster.http(cluster.token(sender.welcome.user), 'POST', '/conversations', { id, members: users });
  expect(made.status).toBe(201);
  for (const member of members) {
    let confirmed = 0;
    member.socket.on('message', () => {
      const { position = 0, message } = member.items.at(-1) ?? {};
      if (position === null || message === undefined || position <= confirmed) return;
      member.send({ type: 'received', position: (confirmed = position) });
      if (message.seq % 10 === 0)
        member.send({ type: 'read', id: `r${message.seq}`, conversation: id, seq: message.seq });
    });
  }
  await sendMany(sender, { conversation: id }, messages);
  /** How far the newest frames say that every member is. */
  const slowest = (kind: 'received' | 'read'): number => {
    const newest = new Map(users.map((user) => [user, 0]));
    for (const receipt of sender.all('receipt')) if (receipt.kind === kind) newest.set(receipt.user, receipt.seq);
    return Math.min(...newest.values());
  };
  await sender.until('everything', () => slowest('received') === messages && slowest('read') === messages, 60_000);
  const frames = sender.all('receipt').length;
  const share = frames / (size - 1) / messages;
  console.log(
    `receipts: ${frames} frames for ${messages} messages to ${size - 1} members, ${share.toFixed(4)} of each`,
  );
  expect(share).toBeLessThanOrEqual(0.05);
}, 120_000);
