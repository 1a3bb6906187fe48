import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeEach, describe, expect, inject, test, vi } from 'vitest';
import { createHintHere, createHints } from '../../../gateway/push/hints.ts';
import { createRoutesOf } from '../../../shared/redis/inboxes/routes.ts';
import { createTellUsers } from '../../../shared/redis/inboxes/tell-users.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { type Hint, receivePushes } from '../../../shared/redis/push-bus.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/** Where users are connected, and how hints come to them there. On a real Redis; the sockets are played. */

const redis = connectRedis(inject('redisUrl'));
const subscriber = connectRedis(inject('redisUrl'));
afterAll(() => {
  redis.disconnect();
  subscriber.disconnect();
});

let keys: Keys;
beforeEach(async () => {
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 4);
  for (let shard = 0; shard < 4; shard++) await openSlot(redis, keys.shardSlot(shard));
});
afterEach(async () => {
  const all = await redis.keys(keys.every);
  if (all.length > 0) await redis.unlink(all);
});

const users = Array.from({ length: 20 }, (_, i) => `user${i}`);

async function redisNow(): Promise<number> {
  const [seconds] = await redis.time();
  return Number(seconds) * 1000;
}

/** Gives a user routes: gateways, with ms for which the lease of each still lasts. */
async function connect(user: string, leases: Record<string, number>): Promise<void> {
  const routes = Object.keys(leases).map((gateway, i) => `${gateway} s${i} device${i}`);
  await redis.hset(keys.user(user), { epoch: 'epoch', routes: routes.join(';') });
  const now = await redisNow();
  for (const [gateway, ms] of Object.entries(leases))
    await redis.hset(keys.shardSlot(keys.shardOf(user)), `gateway:${gateway}`, now + ms);
}

describe('the routes of users', () => {
  test('name each live gateway once, of any number of users and shards', async () => {
    const routesOf = createRoutesOf(redis, keys);
    for (const [i, user] of users.entries()) await connect(user, { [`g${i % 3}`]: 10_000 });
    await redis.hset(keys.user('user0'), 'routes', 'g0 s1 phone;g0 s2 laptop;gone s3 tablet;g1 s4 desk');
    const found = await routesOf([...users, 'nobody']);
    expect(found.map(({ gateways }) => gateways)).toEqual([
      ['g0', 'g1'],
      ...users.slice(1).map((_, i) => [`g${(i + 1) % 3}`]),
      [],
    ]);
    expect(await routesOf([])).toEqual([]);
  });

  test('say when a user was last seen: by its devices, or by the end of a lapsed lease', async () => {
    const routesOf = createRoutesOf(redis, keys);
    await connect('user1', { g1: -60_000 });
    await redis.hset(keys.devices('user1'), { phone: '7 1000', laptop: '0 3000 e' });
    await redis.hset(keys.devices('user2'), { phone: '7 1000', laptop: '0 3000 e' });
    await redis.hset(keys.user('user2'), 'epoch', 'epoch');
    const lapsed = Number(await redis.hget(keys.shardSlot(keys.shardOf('user1')), 'gateway:g1'));
    expect(await routesOf(['user1', 'user2', 'nobody'])).toEqual([
      { gateways: [], lastSeen: lapsed },
      { gateways: [], lastSeen: 3000 },
      { gateways: [], lastSeen: null },
    ]);
  });

  test('of an earlier line do not count, and a closed shard says that nothing is known', async () => {
    const routesOf = createRoutesOf(redis, keys);
    const [one, other] = [users[0]!, users.find((user) => keys.shardOf(user) !== keys.shardOf(users[0]!))!];
    await connect(one, { g1: 10_000 });
    await connect(other, { g1: 10_000 });
    await redis.hset(keys.user(one), 'epoch', 'earlier');
    await redis.hset(keys.shardSlot(keys.shardOf(other)), 'open', 'another run');
    expect((await routesOf([one, other])).map(({ gateways }) => gateways)).toEqual([[], null]);
  });
});

describe('hints', () => {
  /** Devices of users at one gateway, with the texts that each was given. */
  function playedGateway() {
    const got: string[] = [];
    const results: string[] = [];
    const of = (user: string) =>
      ['phone', 'laptop'].map((device) => ({
        session: {
          device,
          hint: (text: string) => (got.push(`${user} ${device} ${JSON.parse(text).n}`), 'sent' as const),
        },
      }));
    const metrics = {
      hints: { inc: ({ type, result }: object & Record<string, string>) => results.push(`${type} ${result}`) },
    };
    return { got, results, metrics: metrics as never, here: createHintHere({ of } as never, metrics as never) };
  }
  const frame = (n: number): string => JSON.stringify({ type: 'read', n });
  const log = { debug() {}, info() {}, warn() {}, error() {} };

  /** What gateway `g2` is published, while `g1` is this one. */
  async function start() {
    const published: Hint[] = [];
    const ignore = () => undefined;
    await receivePushes(
      subscriber,
      keys,
      'g2',
      {
        deliver: ignore,
        head: ignore,
        close: ignore,
        again: ignore,
        large: ignore,
        stored: ignore,
        found: ignore,
        larges: ignore,
        flush: ignore,
        presence: ignore,
        resubscribed: ignore,
        hintLarge: ignore,
        hint: (text, to, not) => void published.push({ users: to, not, text }),
      },
      (thrown) => {
        throw thrown;
      },
    );
    const played = playedGateway();
    const hints = createHints({
      redis,
      keys,
      gateway: 'g1',
      tellUsers: createTellUsers(redis, keys, 'g1'),
      log,
      here: played.here,
      metrics: played.metrics,
    });
    return { ...played, published, hints };
  }

  test('come to every gateway that holds some of their users, in order, and not to the device that asked', async () => {
    await connect('user1', { g1: 10_000 });
    await connect('user2', { g2: 10_000, g1: 10_000 });
    await connect('user3', { g3: -1 });
    const { hints, got, results, published } = await start();
    hints.tell(['user1', 'user2', 'user3'], frame(1));
    hints.tell(['user2'], frame(2), 'phone');
    hints.tell([], frame(3));
    await vi.waitFor(() => expect(published).toHaveLength(2));
    expect(published).toEqual([
      { users: ['user2'], not: null, text: frame(1) },
      { users: ['user2'], not: 'phone', text: frame(2) },
    ]);
    expect(got).toEqual(['user1 phone 1', 'user1 laptop 1', 'user2 phone 1', 'user2 laptop 1', 'user2 laptop 2']);
    expect(results).toEqual(Array.from({ length: 5 }, () => 'read sent'));
  });

  test('come to no user of an earlier line, of a closed shard or without a route', async () => {
    const closed = users.find((user) => keys.shardOf(user) !== keys.shardOf('user1'))!;
    for (const user of ['user1', closed]) await connect(user, { g1: 10_000, g2: 10_000 });
    await redis.hset(keys.user('user1'), 'epoch', 'earlier');
    await redis.hset(keys.shardSlot(keys.shardOf(closed)), 'open', 'another run');
    const { published } = await start();
    const tellUsers = createTellUsers(redis, keys, 'g1');
    const told = { users: ['user1', closed, 'nobody'], not: null, text: frame(1) };
    expect(await tellUsers([told])).toEqual([]);
    await redis.hset(keys.user('user1'), 'epoch', 'epoch');
    expect(await tellUsers([told])).toEqual([{ ...told, users: ['user1'] }]);
    await vi.waitFor(() => expect(published).toEqual([{ ...told, users: ['user1'] }]));
  });

  test.each([
    ['on one Redis', () => 0, 3],
    ['where the users of a call must be of one shard', (user: string) => keys.shardOf(user), 9],
  ])('to many users take calls of a bounded size, %s', async (_name, groupOf, calls) => {
    const crowd = Array.from({ length: 500 }, (_, i) => `crowd${i}`);
    for (const user of crowd) await redis.hset(keys.user(user), { epoch: 'epoch', routes: 'g2 s1 phone' });
    for (let shard = 0; shard < 4; shard++)
      await redis.hset(keys.shardSlot(shard), 'gateway:g2', (await redisNow()) + 60_000);
    const { published } = await start();
    let made = 0;
    const counted = Object.create(redis, {
      evalsha: { value: (...args: Parameters<typeof redis.evalsha>) => (made++, redis.evalsha(...args)) },
    }) as typeof redis;
    await createTellUsers(
      counted,
      { ...keys, groupOf },
      'g1',
    )([
      { users: crowd, not: null, text: frame(1) },
      { users: crowd.slice(0, 3), not: null, text: frame(2) },
    ]);
    const heard = (n: number) => published.filter(({ text }) => text === frame(n)).flatMap((hint) => hint.users);
    await vi.waitFor(() => expect(heard(1)).toHaveLength(500));
    expect([heard(1).sort(), heard(2).sort()]).toEqual([crowd.toSorted(), crowd.slice(0, 3)]);
    const came = (user: string) => published.filter((hint) => hint.users.includes(user)).map(({ text }) => text);
    expect(came('crowd0')).toEqual([frame(1), frame(2)]);
    expect(made).toBeLessThanOrEqual(calls);
  });

  test('that cannot be delivered are counted and given up', async () => {
    const { results, metrics, here } = playedGateway();
    const away = async (): Promise<never> => {
      throw new Error('Redis is away');
    };
    const hints = createHints({ redis, keys, gateway: 'g1', tellUsers: away, log, here, metrics });
    hints.tell(['user1'], frame(1));
    await vi.waitFor(() => expect(results).toEqual(['read dropped']));
    for (let i = 0; i < 10_001; i++) hints.tell(['user1'], frame(i));
    expect(results).toEqual(['read dropped', 'read dropped']);
    await vi.waitFor(() => expect(results).toHaveLength(10_002));
  });
});
