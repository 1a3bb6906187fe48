import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../support/cluster.ts';
import { numbers } from '../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false });
});
afterAll(() => cluster.stop());

test('a device that does not read is closed with 4410, and its inbox keeps everything', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = await cluster.connect(cluster.user('bob'));
  const total = 900;
  bob.socket.pause();
  for (let i = 0; i < total; i++) {
    alice.send({ type: 'send', clientId: `c-${i}`, to: bob.welcome.user, kind: 'text', body: `${i} ${'x'.repeat(16_000)}` });
  }
  await alice.until('all accepted', () => alice.all('accepted').length === total);
  await cluster.settled('inbox');
  bob.socket.resume();
  expect(await bob.closed).toMatchObject({ code: 4410 });
  expect(bob.items.length).toBeLessThan(total);

  const again = await cluster.connect(bob.welcome.user);
  expect(again.welcome.position).toBe(0);
  await again.until('everything', () => {
    again.received(again.items.at(-1)?.position ?? 0);
    return again.items.length === total;
  });
  expect(again.items.map(({ message }) => message.seq)).toEqual(numbers(1, total));
  // Others were served meanwhile.
  await alice.settle();
});
