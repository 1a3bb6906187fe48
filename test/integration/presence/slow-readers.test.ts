import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { sendTo } from '../../support/pair.ts';

/** Hints to a slow reader are dropped before anything else. Presence is made good, and receipts can be asked for. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, archive: false, env: { PRESENCE_OFFLINE_AFTER_MS: '300' } });
});
afterAll(() => cluster.stop());

async function metric(pattern: RegExp): Promise<number> {
  return Number(pattern.exec(await cluster.metrics('web-1'))?.[1] ?? 0);
}
const dropped = (type: string) =>
  metric(new RegExp(`^restante_hints_total\\{[^}]*type="${type}",result="dropped"[^}]*\\} (\\d+)`, 'm'));

test('never hurt messages: the connection lives, messages come, and presence is as it is now', async () => {
  const slow = await cluster.connect(cluster.user('slow'));
  const alice = await cluster.connect(cluster.user('alice'), { gateway: 2 });
  const [s, a] = [slow.welcome.user, alice.welcome.user];
  const { message } = await alice.request(sendTo(s, 'hello', 1), 'accepted');
  await slow.request(sendTo(a, 'hello', 1), 'accepted');
  await slow.request({ type: 'presence', users: [a], watch: true }, 'presence');

  slow.socket.pause();
  // Fills the sockets of the system, then waits in the gateway: more than hints may wait for, less than closes it.
  let sent = 0;
  const waits = () => metric(/^restante_queued_bytes\{[^}]*\} (\d+)/m);
  const body = 'x'.repeat(16_000);
  while ((await waits()) < 400_000) {
    for (let i = 0; i < 10; i++) alice.send(sendTo(s, `fill-${sent++}`, body));
    await alice.until('accepted', () => alice.all('accepted').length === sent + 1);
    await cluster.settled('inbox');
  }
  expect(await waits()).toBeLessThan(2_000_000);

  const { conversation } = message;
  alice.send({ type: 'typing', conversation });
  await vi.waitFor(async () => expect(await dropped('typing')).toBe(1));
  slow.send(sendTo(a, 'again', 2));
  const fromSlow = () => alice.items.filter(({ message: { sender } }) => sender === s);
  await alice.until('the second message', () => fromSlow().length === 2);
  const { seq } = fromSlow()[1]!.message;
  await alice.request({ type: 'read', conversation, seq }, 'read');
  await vi.waitFor(async () => expect(await dropped('receipt')).toBeGreaterThan(0), { timeout: 5000 });
  await alice.close();
  await vi.waitFor(async () => expect(await dropped('presence')).toBeGreaterThan(0), { timeout: 5000 });

  slow.socket.resume();
  await slow.until(
    'every message',
    () => slow.items.filter(({ message: { sender } }) => sender === a).length === sent + 1,
  );
  await slow.until('presence', () =>
    slow.all('presence').some(({ re, users }) => re === undefined && users[a]?.online === false),
  );
  expect(slow.all('typing')).toEqual([]);
  expect(slow.all('receipt').filter((receipt) => receipt.seq >= seq)).toEqual([]);
  const { members } = await slow.request({ type: 'receipts', conversation }, 'receipts');
  expect(members).toMatchObject([{ user: a }]);
  expect(members[0]!.readSeq).toBeGreaterThanOrEqual(seq);
  await slow.settle();
}, 60_000);
