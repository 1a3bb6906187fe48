import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { mostJoinings } from '../../../shared/model/limits.ts';
import { covers, decodeSpans } from '../../../shared/model/spans.ts';
import { createConversations } from '../../../shared/redis/conversations/conversations.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { openFor } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';
import { numbers } from '../../support/sending.ts';

/** Users who join and leave one group again and again. */

const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
const id = 'club';
const [alice, backend] = [
  { user: 'alice', service: false },
  { user: 'backend', service: true },
];

let redis: Redis;
beforeEach(async () => {
  redis = connectRedis(inject('redisUrl'));
  await redis.hset(keys.partitionSlot(0), {
    epoch: 'e',
    line: 'e',
    complete: '1',
    generation: '1',
    ...(await openFor(redis)),
  });
  await conversations().create(id, ['alice', 'bob'], null, false);
});
afterEach(async () => {
  await redis.unlink(
    keys.partitionSlot(0),
    keys.messages(0),
    keys.conversation(0, id),
    keys.members(0, id),
    keys.merged(0, id),
  );
  redis.disconnect();
});

const conversations = () =>
  createConversations(
    redis,
    keys,
    { mostInInboxes: 500, mostUnsettled: 100_000 },
    { load: async () => false, closed: () => undefined, seen: () => undefined },
  );
const spansOf = async (user: string) => decodeSpans((await redis.hget(keys.members(0, id), user)) ?? '');
const lastSeq = async () => Number(await redis.hget(keys.conversation(0, id), 'seq'));

async function joinAndLeave(
  user: string,
  times: number,
  between: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  for (let i = 0; i < times; i++) {
    await conversations().changeMember(id, 'join', alice, user, `in-${i}`);
    await between();
    await conversations().changeMember(id, 'leave', alice, user, `out-${i}`);
  }
}

test('a user who was there all the time has two spans, and the newest says where it has joined', async () => {
  await joinAndLeave('carol', 40);
  await conversations().changeMember(id, 'join', alice, 'carol', 'last');
  expect(await spansOf('carol')).toEqual([
    { joined: 0, left: 80 },
    { joined: 80, left: null },
  ]);
});

test('spans show the seqs of presence and no others, whatever was merged', async () => {
  const present = new Map<string, boolean>([
    ['alice', true],
    ['bob', true],
    ['carol', false],
  ]);
  const visible = new Map<string, number[]>([
    ['alice', []],
    ['bob', []],
    ['carol', []],
  ]);
  let draw = 12345;
  for (let i = 0; i < 400; i++) {
    draw = (draw * 1103515245 + 12345) % 2 ** 31;
    const user = (draw >> 8) % 4 === 0 ? 'bob' : 'carol';
    const joins = !present.get(user)!;
    await conversations().changeMember(id, joins ? 'join' : 'leave', alice, user, `c${i}`);
    // By its join a user is there already, by its leave still.
    for (const [one, seqs] of visible) if (present.get(one)! || one === user) seqs.push(i + 1);
    present.set(user, joins);
  }
  const merged = await redis.hgetall(keys.merged(0, id));
  expect(Number(merged['carol'])).toBeGreaterThan(20);
  for (const [user, seqs] of visible) {
    const spans = await spansOf(user);
    expect({
      user,
      seqs: numbers(1, await lastSeq()).filter((seq) => spans.some((span) => covers(span, seq))),
    }).toEqual({ user, seqs });
  }
}, 20_000);

test.each([
  ['where nothing came between', async () => undefined],
  ['where others came and went as well', async () => joinAndLeave('dora', 1)],
])(
  'a user joins one group so often, %s; it can leave, and a service can add it again',
  async (_, between) => {
    await joinAndLeave('carol', mostJoinings - 1, between);
    await conversations().changeMember(id, 'join', alice, 'carol', 'the last time');
    await conversations().changeMember(id, 'leave', { user: 'carol', service: false }, 'carol', 'of its own');
    await expect(conversations().changeMember(id, 'join', alice, 'carol', 'once more')).rejects.toMatchObject({
      code: 'too_large',
      retryable: false,
    });
    expect(await conversations().changeMember(id, 'join', backend, 'carol', 'by a service')).toBe(true);
    expect(await conversations().changeMember(id, 'leave', { user: 'carol', service: false }, 'carol', 'and out')).toBe(
      true,
    );
    await expect(conversations().changeMember(id, 'join', alice, 'carol', 'never')).rejects.toMatchObject({
      code: 'too_large',
    });
    expect(await conversations().changeMember(id, 'join', alice, 'eve', 'somebody else')).toBe(true);
  },
  30_000,
);
