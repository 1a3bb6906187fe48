import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { apiOf, refusal, textTo } from '../../support/http-client.ts';
import { connectPair, sendTo } from '../../support/pair.ts';

/** Sends that name, with `after`, the one before them. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2 });
});
afterAll(() => cluster.stop());

const pair = () => connectPair(cluster);
const after = (i: number) => (i === 0 ? {} : { after: `c-${i - 1}` });

describe('a chain of sends', () => {
  test('is accepted in its order, 10,000 of them sent ahead', { timeout: 180_000 }, async () => {
    const { alice, bob } = await pair();
    expect(alice.welcome.features).toContain('ordered-sends');
    const count = 10_000;
    for (let i = 0; i < count; i++) alice.send(sendTo(bob.welcome.user, `c-${i}`, i, after(i)));
    await alice.until('an answer to each', () => alice.frames.length > count, 150_000);
    expect(alice.all('error')).toEqual([]);
    expect(alice.all('accepted').map(({ clientId, message }) => [clientId, message.seq])).toEqual(
      Array.from({ length: count }, (_, i) => [`c-${i}`, i + 1]),
    );
  });

  test('stops where one is refused, and goes on once that one is accepted', async () => {
    const { alice, bob } = await pair();
    const send = (i: number, more: object = {}) =>
      alice.send(sendTo(bob.welcome.user, `c-${i}`, i, { ...after(i), ...more }));
    for (let i = 0; i < 40; i++) send(i, i === 10 ? { kind: 'NOT A KIND' } : {});
    // A send that names nothing goes on, and so does another conversation.
    alice.send(sendTo(bob.welcome.user, 'free', 'free'));
    alice.send(sendTo(alice.welcome.user, 'c-0', 'elsewhere'));
    await alice.until('every answer', () => alice.frames.length === 43);
    expect(alice.all('accepted').map(({ clientId }) => clientId)).toEqual([
      ...Array.from({ length: 10 }, (_, i) => `c-${i}`),
      'free',
      'c-0',
    ]);
    const [first, ...others] = alice.all('error');
    expect(first).toMatchObject({ clientId: 'c-10', code: 'bad_request' });
    expect(others.map(({ clientId, code, retryable }) => [clientId, code, retryable])).toEqual(
      Array.from({ length: 29 }, (_, i) => [`c-${i + 11}`, 'out_of_order', true]),
    );

    for (let i = 10; i < 40; i++) send(i);
    await alice.until('the rest', () => alice.all('accepted').length === 42);
    expect(
      alice
        .all('accepted')
        .slice(12)
        .map(({ message }) => message.seq),
    ).toEqual(Array.from({ length: 30 }, (_, i) => i + 12));
  });

  test('goes on at another gateway and device', async () => {
    const { alice, bob } = await pair();
    const tablet = await cluster.connect(alice.welcome.user, { device: 'tablet', gateway: 2 });
    await alice.request(sendTo(bob.welcome.user, 'c-0', 0), 'accepted');
    const next = await tablet.request(sendTo(bob.welcome.user, 'c-1', 1, after(1)), 'accepted');
    expect(next.message.seq).toBe(2);
  });

  test('may name an amend, which has a clientId as well', async () => {
    const { alice, bob } = await pair();
    const { message } = await alice.request(sendTo(bob.welcome.user, 'c-0', 0), 'accepted');
    await alice.request(
      { type: 'amend', clientId: 'edit', conversation: message.conversation, seq: 1, action: 'edit', body: 1 },
      'amended',
    );
    const next = await alice.request(sendTo(bob.welcome.user, 'c-1', 1, { after: 'edit' }), 'accepted');
    expect(next.message.seq).toBe(3);
  });
});

describe('a send that names what is not accepted', () => {
  const names: [string, (own: { user: string; friend: string }) => Promise<string> | string][] = [
    ['an unknown id of 64 characters', () => 'x'.repeat(64)],
    ['itself', () => 'itself'],
    ['a later one', () => 'later'],
    [
      'a message of somebody else',
      async ({ user, friend }) => {
        const other = await cluster.connect(friend);
        await other.request(sendTo(user, 'foreign', 1), 'accepted');
        return 'foreign';
      },
    ],
    [
      'an own message of another conversation',
      async ({ user }) => {
        const tablet = await cluster.connect(user, { device: 'tablet' });
        await tablet.request(sendTo(user, 'elsewhere', 1), 'accepted');
        return 'elsewhere';
      },
    ],
  ];
  test.each(names)('%s: out_of_order, and certainly not accepted', async (_, make) => {
    const { alice, bob } = await pair();
    const [user, friend] = [alice.welcome.user, bob.welcome.user];
    const named = await make({ user, friend });
    alice.send(sendTo(friend, 'itself', 1, { after: named }));
    alice.send(sendTo(friend, 'later', 2));
    // Answers come in any order.
    const [{ message }] = await Promise.all([alice.find('accepted'), alice.find('error')]);
    expect(alice.all('error')).toMatchObject([{ clientId: 'itself', code: 'out_of_order', retryable: true }]);
    const { messages } = await alice.request({ type: 'history', to: friend }, 'history');
    expect(messages.map(({ clientId }) => clientId)).not.toContain('itself');
    expect(message.seq).toBe(messages.length);
  });

  test('makes no conversation', async () => {
    const { alice, bob } = await pair();
    const refused = await alice.request(sendTo(bob.welcome.user, 'a', 1, { after: 'nothing' }), 'error');
    expect(refused).toMatchObject({ code: 'out_of_order' });
    const partition = cluster.keys.partitionOf(directConversation(alice.welcome.user, bob.welcome.user));
    const key = cluster.keys.conversation(partition, directConversation(alice.welcome.user, bob.welcome.user));
    expect(await cluster.redis.exists(key)).toBe(0);
  });

  test('is not_found to who may not write there', async () => {
    const { alice, bob } = await pair();
    const id = cluster.user('group');
    const api = apiOf(cluster, cluster.token(alice.welcome.user));
    expect((await api('POST', '/conversations', { id, members: [bob.welcome.user] })).status).toBe(201);
    expect((await api('DELETE', `/conversations/${id}/members/${bob.welcome.user}`)).status).toBe(204);
    const send = { type: 'send', clientId: 'a', conversation: id, kind: 'text', body: 1, after: 'nothing' };
    expect(await bob.request(send, 'error')).toMatchObject({ code: 'not_found' });
    expect(await alice.request(send, 'error')).toMatchObject({ code: 'out_of_order' });
    expect(await alice.request({ ...send, conversation: 'nowhere' }, 'error')).toMatchObject({ code: 'not_found' });
  });
});

test('a repeated send gets its first answer, whatever it names', async () => {
  const { alice, bob } = await pair();
  const first = await alice.request(sendTo(bob.welcome.user, 'a', 1), 'accepted');
  for (const named of ['nothing', 'a']) {
    const again = await alice.request(sendTo(bob.welcome.user, 'a', 1, { after: named }), 'accepted');
    expect(again).toMatchObject({ message: first.message, duplicate: true });
  }
  const other = await alice.request(sendTo(bob.welcome.user, 'a', 2, { after: 'nothing' }), 'error');
  expect(other).toMatchObject({ code: 'conflict' });
});

test('by HTTP it is 409, also for a service', async () => {
  const [alice, bob] = [cluster.user('alice'), cluster.user('bob')];
  const mine = apiOf(cluster, cluster.token(alice));
  const service = apiOf(cluster, cluster.token('shop', { scope: 'service' }));
  const send = textTo({ to: bob });
  expect(refusal(await mine('POST', '/messages', { ...send, after: 'nothing' }))).toEqual([409, 'out_of_order']);
  expect((await mine('POST', '/messages', send)).status).toBe(201);
  const next = { ...textTo({ to: bob }), after: send.clientId };
  expect(refusal(await service('POST', '/messages', { ...next, sender: bob, to: alice }))).toEqual([
    409,
    'out_of_order',
  ]);
  expect((await service('POST', '/messages', { ...next, sender: alice })).body).toMatchObject({ message: { seq: 2 } });
  expect(refusal(await mine('POST', '/messages', { ...next, after: 'no id' }))).toEqual([400, 'bad_request']);
});
