import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { numbers } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ archive: false, env: { FANOUT_MAX_MEMBERS: '2' } });
});
afterAll(() => cluster.stop());

test('a device that does not read is closed with 4410, and its inbox keeps everything', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = await cluster.connect(cluster.user('bob'));
  const total = 900;
  bob.socket.pause();
  for (let i = 0; i < total; i++) {
    alice.send({
      type: 'send',
      clientId: `c-${i}`,
      to: bob.welcome.user,
      kind: 'text',
      body: `${i} ${'x'.repeat(16_000)}`,
    });
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

test('so is one in a large group, where others get everything live and it is told what it missed', async () => {
  const [alice, bob, carol] = await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => cluster.connect(cluster.user(name))),
  );
  const members = [alice!, bob!, carol!].map(({ welcome }) => welcome.user);
  expect(
    (await cluster.http(cluster.token(members[0]!), 'POST', '/conversations', { id: 'square', members })).status,
  ).toBe(201);
  await cluster.settled('inbox');
  const total = 900;
  const send = (i: number) =>
    alice!.send({
      type: 'send',
      clientId: `c-${i}`,
      conversation: 'square',
      kind: 'text',
      body: `${i} ${'x'.repeat(16_000)}`,
    });
  send(1);
  await Promise.all(
    [bob, carol].map((device) =>
      device!.until('the first', () => device!.pushed.length === 1 || device!.gaps.length === 1),
    ),
  );
  bob!.socket.pause();
  for (let i = 2; i <= total; i++) {
    send(i);
    // This process reads for carol as well: she must not fall behind because it is busy writing.
    if (i % 50 === 0) await carol!.until('what was sent', () => carol!.pushed.at(-1)!.message.seq >= i);
  }
  await alice!.until('all accepted', () => alice!.all('accepted').length === total);
  await carol!.until('all of it', () => carol!.pushed.at(-1)?.message.seq === total);
  expect(carol!.pushed.length).toBeGreaterThan(total - 2);
  bob!.socket.resume();
  expect(await bob!.closed).toMatchObject({ code: 4410 });
  const again = await cluster.connect(members[1]!);
  await again.until('the gap', () => again.gaps.some(({ toSeq }) => toSeq === total));
  expect(Math.min(...again.gaps.map(({ fromSeq }) => fromSeq))).toBe(1);
});
