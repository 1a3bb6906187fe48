import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { sendTo } from '../../support/pair.ts';

/** Presence and typing of a slow reader are dropped before anything else, and presence is made good. */

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

  alice.send({ type: 'typing', conversation: message.conversation });
  await vi.waitFor(async () => expect(await dropped('typing')).toBe(1));
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
  await slow.settle();
}, 60_000);
