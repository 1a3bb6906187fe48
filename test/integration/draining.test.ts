import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { numbers } from '../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { DRAIN_MS: '1000' } });
});
afterAll(() => cluster.stop());

test('a gateway that stops says so, answers what is open, and closes with 1001', async () => {
  const [alice, bob] = [await cluster.connect(cluster.user('alice'), { gateway: 2 }), await cluster.connect(cluster.user('bob'), { gateway: 2 })];
  const total = 3000;
  const send = (i: number) => ({ type: 'send', clientId: `c-${i}`, to: bob.welcome.user, kind: 'text', body: i });
  for (let i = 0; i < total; i++) alice.send(send(i));
  await alice.find('accepted');
  const ending = cluster.end('web-2');
  for (const device of [alice, bob]) {
    const { reconnectAfterMs } = await device.find('drain');
    expect(reconnectAfterMs).toBeGreaterThanOrEqual(0);
    expect(reconnectAfterMs).toBeLessThanOrEqual(1000);
  }
  expect(await Promise.all([alice.closed, bob.closed])).toMatchObject([{ code: 1001 }, { code: 1001 }]);
  await ending;
  expect((await cluster.log('web-2')).at(-1)).toMatchObject({ event: 'stopped', outcome: 'closed' });

  // What had no answer is sent again elsewhere with the same clientId: every message is there once, in its order.
  const again = await cluster.connect(alice.welcome.user, { gateway: 1 });
  const answered = new Set(alice.all('accepted').map(({ clientId }) => clientId));
  const rest = numbers(0, total).filter((i) => !answered.has(`c-${i}`));
  for (const i of rest) again.send(send(i));
  await again.until('every answer', () => again.all('accepted').length === rest.length);
  const seqs = [...alice.all('accepted'), ...again.all('accepted')].map(({ message }) => message.seq);
  expect(seqs).toEqual(numbers(1, total));

  const other = await cluster.connect(bob.welcome.user, { gateway: 1, position: 0 });
  await other.until('everything', () => {
    other.received(other.items.at(-1)?.position ?? other.gaps.at(-1)?.position ?? 0);
    return other.bodies.at(-1) === total - 1;
  });
  const bodies = other.bodies as number[];
  expect(bodies).toEqual(numbers(total - bodies.length, bodies.length));
});

test('a gateway that stops takes no new connections', async () => {
  await cluster.start('web-2');
  const device = await cluster.connect(cluster.user('alice'), { gateway: 2 });
  const ending = cluster.end('web-2');
  await device.find('drain');
  await expect(cluster.connect(cluster.user('bob'), { gateway: 2 })).rejects.toThrow(/ECONNREFUSED|refused with 503/);
  await ending;
});
