import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { systemClock, type Clock } from '../../../sdk/src/platform/clock.ts';
import { openOnNetwork, synced } from '../../support/client-on-network.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { filteredWebSocket } from '../../support/filtered-web-socket.ts';
import { hoursLater } from '../../support/hours-later.ts';

/** Devices whose clock is wrong, and tokens that end. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

const day = 86_400_000;

test.each([
  ['behind', -day],
  ['ahead', day],
])(
  'a clock that is a day %s sends nothing twice, also when only history knows the message',
  async (_, shiftMs) => {
    const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
    const clock: Clock = { now: () => Date.now() + shiftMs, after: systemClock.after };
    const lost = Promise.withResolvers<void>();
    const { client, proxy } = await openOnNetwork(cluster, alice, {
      clock,
      webSocket: filteredWebSocket((frame) => {
        if (frame.type !== 'accepted' || frame['duplicate'] === true) return frame;
        lost.resolve();
        return null;
      }),
    });
    await client.connect();
    await synced(client);
    expect(Math.abs(client.now() - Date.now())).toBeLessThan(60_000);
    const chat = client.direct(bob);
    const { accepted } = chat.send('once');
    await lost.promise;
    proxy.refuse();
    await cluster.settled();
    const partition = cluster.keys.partitionOf(chat.id);
    const conversations = [cluster.keys.conversation(partition, chat.id)];
    const { redis, keys } = cluster;
    await hoursLater(redis, keys.partitionBase(partition), keys.partitionSlot(partition), conversations, 0);
    proxy.pass();
    expect(await accepted).toMatchObject({ conversation: chat.id, seq: 1 });
    const history = await client.http('GET', `/conversations/${chat.id}/messages`);
    expect(history).toMatchObject({ messages: [{ seq: 1, body: 'once' }], more: false });
  },
  60_000,
);

test('a token that ends, and an application that fails to give the next one, lose no message', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const sender = await openOnNetwork(cluster, alice);
  await sender.client.connect();
  const reasons: string[] = [];
  const answers: (() => string | Promise<string>)[] = [
    () => cluster.token(bob, { exp: Math.floor(Date.now() / 1000) + 33 }),
    () => Promise.reject(new Error('first')),
    () => Promise.reject(new Error('second')),
    () => Promise.reject(new Error('third')),
    () => new Promise(() => {}),
    () => cluster.token(bob),
    () => cluster.token(alice),
  ];
  const { client, proxy, faults } = await openOnNetwork(cluster, bob, {
    getToken({ reason }) {
      reasons.push(reason);
      return answers.shift()!();
    },
  });
  const bodies: unknown[] = [];
  client.on('message', ({ message: { body } }) => bodies.push(body));
  await client.connect();
  let sent = 0;
  while (answers.length > 1) {
    const left = answers.length;
    await sender.client.direct(bob).send(++sent).accepted;
    await vi.waitFor(() => expect(bodies).toHaveLength(sent), { timeout: 60_000 });
    await vi.waitFor(() => expect(answers.length).toBeLessThan(left), { timeout: 60_000 });
  }
  expect(bodies).toEqual(Array.from({ length: sent }, (_, at) => at + 1));
  expect(reasons.slice(1, 5)).toEqual(['expiring', 'expiring', 'expiring', 'expiring']);
  expect(faults.filter((fault) => fault.startsWith('getToken'))).toHaveLength(4);
  proxy.cut();
  await vi.waitFor(() => expect(client.status.get()).toMatchObject({ state: 'closed', reason: 'other_user' }), {
    timeout: 30_000,
  });
  expect(client.user).toBe(bob);
}, 120_000);
