import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { messageTail } from '../../../shared/model/message-text.ts';
import { createMessages } from '../../../shared/redis/streams/messages.ts';
import { createShortWay } from '../../../shared/redis/streams/short-way.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { startDurableRedis } from '../../support/durable-redis.ts';
import { positionsOf, waitsForNotification } from '../../support/inbox.ts';
import { patiently, sendPatiently } from '../../support/patiently.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/** The short way of direct messages between real processes, while no fanout runs. */

const env = { SHORT_WAY: '1', NOTIFY_URL: 'http://127.0.0.1:9/nobody', NOTIFY_AFTER_MS: '60000' };

describe('without a fanout', () => {
  let cluster: Cluster;
  let alice: Welcomed;
  let others: Welcomed[];
  let bob: string;
  beforeAll(async () => {
    cluster = await startCluster({ gateways: 2, fanout: false, env });
    alice = await cluster.connect(cluster.user('alice'));
    bob = cluster.user('bob');
    others = await Promise.all([
      cluster.connect(alice.welcome.user, { device: 'other', gateway: 2 }),
      cluster.connect(bob, { device: 'phone', gateway: 2 }),
      cluster.connect(bob, { device: 'tablet' }),
    ]);
  });
  afterAll(() => cluster.stop());

  const waysOf = async (name: string): Promise<Record<string, number>> =>
    Object.fromEntries(
      [...(await cluster.metrics(name)).matchAll(/^restante_ways_total\{way="(\w+)",.*\} (\d+)$/gm)].map(
        ([, way, count]) => [way!, Number(count)],
      ),
    );
  const received = (count: number): Promise<unknown> =>
    Promise.all(others.map((device) => device.until(`${count} items`, () => device.items.length === count)));

  test('every device gets small messages, and lists and notifications know of them', async () => {
    for (let i = 0; i < 3; i++) await sendMany(alice, bob, 1, `small-${i}`, () => i);
    await received(3);
    for (const device of others) expect(device.bodies).toEqual([0, 1, 2]);
    expect(await waysOf('web-1')).toEqual({ short: 3 });
    expect(await waitsForNotification(cluster, bob)).toBe(true);
    expect(await waitsForNotification(cluster, alice.welcome.user)).toBe(false);

    const late = await cluster.connect(bob, { device: 'late' });
    expect(late.welcome.unread).toMatchObject({ total: 3, conversations: [{ lastSeq: 3, last: { body: 2 } }] });
    await late.until('the backlog', () => late.items.length === 3);
    await late.close();
  });

  test('what waits for the fanout keeps its place, and nothing comes twice', async () => {
    const long = 'x'.repeat(10_000);
    await sendMany(alice, bob, 1, 'long', () => long);
    await sendMany(others[1]!, alice.welcome.user, 1, 'behind', () => 'behind');
    // Another conversation is not concerned.
    const carol = await cluster.connect(cluster.user('carol'));
    await sendMany(carol, bob, 1, 'beside', () => 'beside');
    await others[2]!.until('the one beside', () => others[2]!.bodies.includes('beside'));
    expect(others[2]!.bodies).toEqual([0, 1, 2, 'beside']);

    await cluster.start('fanout-1');
    await others[2]!.until('all', () => others[2]!.items.length === 6);
    await cluster.settled('inbox');
    expect(others[2]!.bodies).toEqual([0, 1, 2, 'beside', long, 'behind']);
    expect(positionsOf(others[2]!)).toEqual(numbers(1, 6));
    expect(await waysOf('web-1')).toEqual({ short: 4, long: 1 });
    expect(await waysOf('web-2')).toEqual({ long: 1 });

    // The fanout is not behind any more, and adds nothing to what goes past it.
    await sendMany(alice, bob, 1, 'again', () => 'again');
    await others[2]!.until('the last', () => others[2]!.bodies.at(-1) === 'again');
    await cluster.settled();
    expect(await waysOf('web-1')).toEqual({ short: 5, long: 1 });
    const whole = await cluster.connect(bob, { device: 'whole' });
    await whole.until('all', () => whole.items.length === 7);
    expect(positionsOf(whole)).toEqual(numbers(1, 7));
  });
});

/**
 * Sends a message as a gateway would that never hears the answer: no process of the cluster has seen its entry. It is
 * done through a connection of this test.
 */
function sendUnheard({ redis, keys }: Cluster, from: string, to: string): Promise<unknown> {
  const unasked = async () => {
    throw new Error('nobody asks this here');
  };
  const shortWay = createShortWay(
    keys,
    { isOn: () => true, inboxMaxEntries: 2000, notifyAfter: { ms: 0 } },
    { sending: () => undefined, accepted: (way) => expect(way).toBe('short') },
  );
  const { accept } = createMessages(
    redis,
    keys,
    { dedupeMs: 600_000, mostUnsettled: 100_000, mostInInboxes: 500, gateway: 'unheard', shortWay },
    { load: unasked, lookup: unasked, closed: () => undefined, seen: () => undefined },
  );
  return accept({
    conversation: directConversation(from, to),
    sender: from,
    clientId: 'unheard',
    fingerprint: 'x'.repeat(22),
    right: 'direct',
    users: [from, to].sort().join(','),
    device: 'phone',
    class: 'normal',
    made: 0,
    after: null,
    awaited: false,
    tail: messageTail(from, 'unheard', 'text', '"unheard"', 'normal'),
  });
}

test('a lost message of which only the push was seen ends the epoch: no seq comes again', async () => {
  const redis = await startDurableRedis();
  const cluster = await startCluster({ redisUrl: redis.url, gateways: 2, fanout: false, archive: false, env });
  cluster.redis.on('error', () => undefined);
  try {
    const alice = await cluster.connect('alice');
    const bob = await cluster.connect('bob', { gateway: 2 });
    await sendMany(alice, 'bob', 1, 'kept');
    const putBack = await redis.copy();
    await sendUnheard(cluster, 'alice', 'bob');
    await bob.until('both', () => bob.items.length === 2);
    expect(bob.items.map(({ message: { seq, body } }) => [seq, body])).toEqual([
      [1, 0],
      [2, 'unheard'],
    ]);
    await redis.kill();
    await putBack();
    await redis.start();

    const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch, position: 1 });
    expect(again.welcome).toMatchObject({ reset: true });
    const { message } = await sendPatiently(again, 'next', { to: 'bob' });
    expect(message.seq).toBeGreaterThan(1_000_000);
    const logs = (await Promise.all(['web-1', 'web-2'].map((name) => cluster.log(name)))).flat();
    const lost = logs.filter(({ event }) => event === 'state_lost');
    expect(lost).toMatchObject([{ reason: expect.stringMatching(/misses in i\d+ .* may lack what was seen in i/) }]);
  } finally {
    await cluster.stop();
    await redis.stop();
  }
});
