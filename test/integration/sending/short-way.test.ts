import { afterAll, afterEach, describe, expect, inject, test, vi } from 'vitest';
import { connectRedis, duplicateOf } from '../../support/redis-connection.ts';
import { openWorld, type World } from '../../support/ways.ts';

/**
 * The short way of direct messages. What is stored and pushed must be the same as on the long way, and a message goes
 * there only where nothing but its entry and the user's fields have to be written.
 */

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
afterAll(() => redis.disconnect());

const users = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank'];
const worlds: World[] = [];
const open = async (isShort: boolean, most = 100): Promise<World> => {
  const world = await openWorld(redis, { isShort, users, most, notifyAfterMs: 60_000 });
  worlds.push(world);
  return world;
};
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.close()));
});

async function each(count: number, step: (i: number) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < count; i++) await step(i);
}

/** `ways`: by message, `S` for short and `L` for long. `most`: entries of an inbox. */
type Scenario = { ways: string; most?: number; play: (world: World) => Promise<void> };

const scenarios: Record<string, Scenario> = {
  'a conversation from its first message on': {
    ways: 'SSSS',
    async play({ send, fanOut }) {
      for (const [from, to] of ['ab', 'ba', 'ab', 'ab'].map((two) => two.split('').map(nameOf)))
        await send(from!, to!).then(() => fanOut());
    },
  },
  'several messages of several conversations in one call, some to the same user': {
    ways: 'SSSSS',
    async play({ accept, sendOf, fanOut }) {
      await Promise.all(['ab', 'cb', 'ab', 'bc', 'ad'].map((two) => accept(sendOf(nameOf(two[0]!), nameOf(two[1]!)))));
      await fanOut();
    },
  },
  'users with devices at several gateways': {
    ways: 'SSS',
    async play({ attach, send, fanOut }) {
      await attach('alice', 'g1', 'g2');
      await attach('bob', 'g2', 'g3', 'g2');
      await each(2, () => send('alice', 'bob').then(() => fanOut()));
      await send('bob', 'alice', { device: '*' });
      await fanOut();
    },
  },
  'a gateway whose lease is over': {
    ways: 'S',
    async play({ attach, keys, send, fanOut }) {
      await attach('bob', 'g1');
      await redis.hset(keys.shardSlot(keys.shardOf('bob')), 'gateway:g1', 1);
      await send('alice', 'bob');
      await fanOut();
    },
  },
  'a user who is notified already': {
    ways: 'SS',
    async play({ keys, send, fanOut }) {
      await send('alice', 'bob').then(() => fanOut());
      await redis.hset(keys.user('bob'), 'waiting', '5 1');
      await redis.zrem(keys.waiting(keys.shardOf('bob')), 'bob');
      await send('alice', 'bob');
      await fanOut();
    },
  },
  'a message sent twice': {
    ways: 'S',
    async play({ accept, sendOf, fanOut }) {
      const send = sendOf('alice', 'bob');
      const first = await accept(send);
      expect(await accept(send)).toEqual({ ...first, duplicate: true });
      await fanOut();
    },
  },
  'a clock that has gone back': {
    ways: 'SS',
    async play({ keys, send, fanOut }) {
      await redis.xadd(keys.messages(0), '9000000000000-0', 'r', '1 renamed c 1', 't', '{"name":null}');
      await fanOut();
      await each(2, () => send('alice', 'bob').then(() => fanOut()));
    },
  },
  'a long text, and what comes before the fanout has it': {
    ways: 'SLLS',
    async play({ send, fanOut }) {
      await send('alice', 'bob');
      await send('alice', 'bob', { length: 5000 });
      await send('bob', 'alice');
      await fanOut();
      await send('alice', 'bob');
      await fanOut();
    },
  },
  'a long text in the middle of a call': {
    ways: 'SLL',
    async play({ accept, sendOf, fanOut }) {
      await Promise.all([5, 5000, 5].map((length) => accept(sendOf('alice', 'bob', { length }))));
      await fanOut();
    },
  },
  'an amendment that waits': {
    ways: 'SSaLS',
    async play({ send, recall, fanOut }) {
      await each(2, () => send('alice', 'bob').then(() => fanOut()));
      await recall('alice', 'bob', 1);
      await send('bob', 'alice');
      await fanOut();
      await send('bob', 'alice');
      await fanOut();
    },
  },
  'seqs that a loss skipped': {
    ways: 'SLS',
    async play({ keys, send, fanOut }) {
      const { conversation } = await send('alice', 'bob');
      await fanOut();
      await redis.hset(keys.conversation(0, conversation), { seq: 1_000_000, prev: 0 });
      await each(2, () => send('alice', 'bob').then(() => fanOut()));
    },
  },
  'a conversation that begins to fill an inbox': {
    ways: `${'S'.repeat(25)}L${'S'.repeat(4)}`,
    play: ({ send, fanOut }) => each(30, () => send('alice', 'bob').then(() => fanOut())),
  },
  'an inbox that is full': {
    ways: `${'S'.repeat(102)}LSSL`,
    play: ({ send, fanOut }) =>
      each(106, (i) => send(['alice', 'carol', 'dave', 'erin', 'frank'][i % 5]!, 'bob').then(() => fanOut())),
  },
  'a user of an earlier line, beside one who is not': {
    ways: 'LS',
    async play({ keys, send, fanOut }) {
      await redis.hset(keys.user('bob'), { epoch: 'earlier', head: 7 });
      await redis.hset(keys.shardSlot(keys.shardOf('bob')), { complete: '0', generation: '1' });
      await each(2, () => send('alice', 'bob').then(() => fanOut()));
    },
  },
  'a user who has never been there': {
    ways: 'LS',
    async play({ keys, send, fanOut }) {
      await redis.del(keys.user('bob'));
      await each(2, () => send('alice', 'bob').then(() => fanOut()));
    },
  },
  'a shard that is closed meanwhile': {
    ways: 'LS',
    async play({ keys, send, fanOut }) {
      const slot = keys.shardSlot(keys.shardOf('bob'));
      const here = (await redis.hget(slot, 'open'))!;
      await redis.hset(slot, 'open', 'x'.repeat(40));
      await send('alice', 'bob');
      await redis.hset(slot, 'open', here);
      await fanOut();
      await send('alice', 'bob');
      await fanOut();
    },
  },
  'an inbox shard that was never opened, of the other user': {
    ways: 'L',
    async play({ keys, send, fanOut }) {
      const slot = keys.shardSlot(keys.shardOf('alice'));
      const all = await redis.hgetall(slot);
      await redis.del(slot);
      await send('alice', 'bob');
      await redis.hset(slot, all);
      await fanOut();
    },
  },
  'many sends while the fanout is behind': {
    ways: `L${'S'.repeat(100)}`,
    most: 1000,
    async play({ accept, sendOf, send, fanOut }) {
      await send('carol', 'dave', { length: 5000 });
      await Promise.all(Array.from({ length: 100 }, () => accept(sendOf('alice', 'bob'))));
      await fanOut();
    },
  },
  'a group, and a conversation that is named by its id': {
    ways: 'LSLS',
    async play({ keys, send, fanOut }) {
      const group = { epoch: 'epoch', seq: 0, version: 1, kind: 'group', createdAt: 1, service: 0, count: 6 };
      await redis.hset(keys.conversation(0, 'g'), group);
      await redis.hset(keys.members(0, 'g'), Object.fromEntries(users.map((user) => [user, '0-'])));
      await send('alice', 'bob', { conversation: 'g', right: 'member', users: '' });
      await fanOut();
      await send('alice', 'bob');
      await send('bob', 'alice', { right: 'member', users: '' });
      await fanOut();
      await send('alice', 'bob');
      await fanOut();
    },
  },
  'a message to oneself': {
    ways: 'L',
    async play({ send, fanOut }) {
      await send('alice', 'alice');
      await fanOut();
    },
  },
  'the switch turned off and on': {
    ways: 'SLS',
    async play({ send, fanOut, switch: turn }) {
      for (const on of [true, false, true]) {
        turn(on);
        await send('alice', 'bob');
        await fanOut();
      }
    },
  },
};

const nameOf = (letter: string): string => users.find((user) => user.startsWith(letter))!;

describe('what is stored and pushed is that of the long way', () => {
  test.each(Object.entries(scenarios))('%s', async (_, { ways, most, play }) => {
    const [long, short] = [await open(false, most), await open(true, most)];
    await play(long);
    await play(short);
    expect(await short.ways()).toBe(ways);
    expect(await long.ways()).toBe(ways.replaceAll('S', 'L'));
    expect(await short.state()).toEqual(await long.state());
    expect(await short.pushes()).toEqual(await long.pushes());
    expect(short.buried).toEqual([]);
    const count = (letter: string): number => ways.split(letter).length - 1;
    expect(short.counted).toEqual({ short: count('S'), long: count('L') });
  });
});

describe('an entry of the short way', () => {
  test('is there at once, with its push and who waits, and the fanout adds nothing', async () => {
    const { attach, send, state, pushes, fanOut } = await open(true);
    await attach('bob', 'g1');
    await send('alice', 'bob');
    const before = await state();
    expect(before).toMatchObject({ bob: { fields: { head: '1' }, waits: true }, alice: { waits: false } });
    expect(await pushes()).toMatchObject([expect.stringMatching(/^g1 D alice alice-phone bob:1 \{"id":"0-T"/)]);
    await fanOut();
    expect(await state()).toEqual(before);
    expect(await pushes()).toEqual([]);
  });

  test('is compared after any doubt: the gateway is told the head, and nothing comes twice', async () => {
    const { attach, send, state, pushes, fanOut, buried } = await open(true);
    await attach('bob', 'g1');
    await each(2, () => send('alice', 'bob'));
    const before = await state();
    await pushes();
    await fanOut(true);
    expect(await state()).toEqual(before);
    expect(await pushes()).toEqual(['g1 H bob:2']);
    expect(buried).toEqual([]);
  });

  test('is compared by a fanout that has just begun, and after another run or epoch', async () => {
    const { redis: on, keys, send, state, fanOut, fanOutAgain, passing } = await open(true);
    passing.forget();
    const forget = async (): Promise<void> => {
      await on.del(keys.inbox('bob'), keys.user('bob'));
      await on.hset(keys.user('bob'), 'epoch', 'epoch');
    };
    await send('alice', 'bob');
    const whole = await state();
    await forget();
    await fanOut();
    expect(await state()).toEqual(whole);

    await forget();
    await fanOutAgain();
    passing.forget();
    await fanOut();
    expect(await state()).toEqual(whole);

    // What came later is passed over.
    await send('carol', 'dave', { length: 5000 });
    await send('alice', 'bob');
    await forget();
    expect(await fanOut()).toBe(3);
    expect(await state()).toMatchObject({ bob: { inbox: [] } });
  });

  test('is not made for an inbox that cannot be written: the fanout meets the fault', async () => {
    const { redis: on, keys, send, ways, entries, fanOut, counted } = await open(true);
    await send('alice', 'bob');
    await on.set(keys.inbox('bob'), 'no stream');
    const second = await send('alice', 'bob');
    expect(second).toMatchObject({ seq: 2, duplicate: false });
    expect(await ways()).toBe('SL');
    expect(`0-${(await entries()).at(-1)!.streamId}`).toBe(second.id);
    expect(counted).toEqual({ short: 1, long: 1 });
    await expect(fanOut()).rejects.toThrow('WRONGTYPE');
  });
});

describe('the group of the fanout', () => {
  /** Conversations that exist, so that the next message is all that a send appends. */
  async function begun(...pairs: string[]): Promise<World> {
    const world = await open(true);
    for (const [from, to] of pairs) await world.send(nameOf(from!), nameOf(to!));
    await world.fanOut();
    return world;
  }

  test('is moved past what it has nothing to do with', async () => {
    const { accept, sendOf, send, fanOut, unsettled, ways } = await begun('ab', 'cd');
    await send('alice', 'bob');
    await Promise.all(['ba', 'cd', 'ab'].map((two) => accept(sendOf(nameOf(two[0]!), nameOf(two[1]!)))));
    expect(await ways()).toBe('SSSSSS');
    expect(await unsettled()).toBe(0);
    expect(await fanOut()).toBe(0);
  });

  test('is given everything from the first entry on that it has to do with', async () => {
    const { accept, sendOf, send, fanOut, unsettled, ways } = await begun('ab', 'cd', 'ef');
    await Promise.all([
      accept(sendOf('alice', 'bob')),
      accept(sendOf('carol', 'dave', { length: 5000 })),
      accept(sendOf('erin', 'frank')),
    ]);
    await send('alice', 'bob');
    expect(await ways()).toBe('SSSSLSS');
    expect(await unsettled()).toBe(3);
    expect(await fanOut()).toBe(3);
    expect(await unsettled()).toBe(0);
    await send('alice', 'bob');
    expect(await fanOut()).toBe(0);
  });

  test('is given what makes a conversation, and everything behind it', async () => {
    const { accept, sendOf, fanOut, unsettled } = await begun('ab');
    await Promise.all([accept(sendOf('alice', 'bob')), accept(sendOf('carol', 'dave'))]);
    expect(await unsettled()).toBe(2);
    expect(await fanOut()).toBe(2);
  });

  test('keeps what it was given and has not settled', async () => {
    const { redis: on, keys, send, fanOut, unsettled } = await begun('ab', 'cd');
    await send('carol', 'dave', { length: 5000 });
    await on.xreadgroup('GROUP', 'inbox', 'inbox', 'STREAMS', keys.messages(0), '>');
    await send('alice', 'bob');
    expect(await unsettled()).toBe(1);
    expect(await fanOut()).toBe(0);
    expect((await on.xpending(keys.messages(0), 'inbox'))[0]).toBe(1);
  });

  test('goes on waiting while it is moved, and is woken by what it has to do with', async () => {
    const { redis: on, keys, send, ways } = await begun('ab', 'cd');
    const waiting = await duplicateOf(on);
    const found = waiting.xreadgroup('GROUP', 'inbox', 'inbox', 'BLOCK', 0, 'STREAMS', keys.messages(0), '>');
    await vi.waitFor(async () => expect(await on.info('clients')).toMatch(/blocked_clients:[1-9]/));
    for (let i = 0; i < 3; i++) await send('alice', 'bob');
    const { id } = await send('carol', 'dave', { length: 5000 });
    expect(await ways()).toBe('SSSSSL');
    const [[, entries]] = (await found) as [[string, [string, string[]][]]];
    expect(entries.map(([streamId]) => `0-${streamId}`)).toEqual([id]);
    waiting.disconnect();
  });

  test('that is gone takes nothing from a message', async () => {
    const { redis: on, keys, send, ways, unsettled } = await begun('ab');
    await on.xgroup('DESTROY', keys.messages(0), 'inbox');
    await send('alice', 'bob');
    expect(await ways()).toBe('SS');
    expect(await unsettled()).toBe(1);
  });
});
