import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, test } from 'vitest';
import { createConversations } from '../../../../shared/redis/conversations/conversations.ts';
import { appendToInboxes } from '../../../../shared/redis/inboxes/inbox-appends.ts';
import { createInboxes } from '../../../../shared/redis/inboxes/inboxes.ts';
import { createRevocations } from '../../../../shared/redis/inboxes/revocations.ts';
import { createWaiting } from '../../../../shared/redis/inboxes/waiting.ts';
import { createKeys } from '../../../../shared/redis/keys.ts';
import { createMessages } from '../../../../shared/redis/streams/messages.ts';

/** The slot of Redis Cluster: CRC16 (XMODEM) of the first non-empty {tag}, or of the whole key. */
function slotOf(key: string): number {
  const open = key.indexOf('{');
  const end = key.indexOf('}', open + 1);
  const hashed = open !== -1 && end > open + 1 ? key.slice(open + 1, end) : key;
  let crc = 0;
  for (const byte of Buffer.from(hashed)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc % 16_384;
}

test('computes slots as Redis does', () => {
  expect(slotOf('123456789')).toBe(0x31c3);
  expect(slotOf('a{b}c')).toBe(slotOf('b'));
  expect(slotOf('a{}b')).not.toBe(slotOf('b'));
});

const ids = ['alice', '-', '_', '0', 'constructor', '__proto__', 'a'.repeat(64)];

/** Whoever calls a script: its hash and keys. Every script answers that its slot is not open. */
let calls: { script: string; keys: string[] }[];
async function evalsha(script: string, count: number, ...rest: string[]): Promise<unknown> {
  calls.push({ script, keys: rest.slice(0, count) });
  return ['closed', 1];
}
const redis = { evalsha, pipeline: () => ({ evalsha, exec: async () => [] }) } as unknown as Redis;

const ignoring = (...work: Promise<unknown>[]) => Promise.allSettled(work);

describe('all keys of one script call share a slot', () => {
  const keys = createKeys('rst', 4, 64);
  const closed = () => undefined;
  beforeEach(() => {
    calls = [];
  });

  const expectOneSlotEach = (scripts: number): void => {
    expect(new Set(calls.map(({ script }) => script)).size).toBe(scripts);
    for (const { keys: used } of calls)
      expect({ used, slots: new Set(used.map(slotOf)).size }).toEqual({ used, slots: 1 });
  };

  test.each(ids)('conversation %s', async (id) => {
    const conversations = createConversations(
      redis,
      keys,
      { mostInInboxes: 500, mostUnsettled: 1000 },
      { load: async () => false, closed, seen: () => undefined },
    );
    const messages = createMessages(
      redis,
      keys,
      { dedupeMs: 60_000, mostUnsettled: 100, mostInInboxes: 500, gateway: 'g' },
      {
        load: async () => false,
        lookup: async (sends) => sends.map(() => null),
        closed,
        seen: () => undefined,
      },
    );
    await ignoring(
      conversations.read(id, { user: 'bob' }),
      conversations.members(id),
      conversations.memberPage(id, 'bob', '', 10),
      conversations.create(id, ['alice'], null, false),
      conversations.create(
        id,
        Array.from({ length: 1001 }, (_, i) => `user-${i}`),
        null,
        true,
      ),
      conversations.changeMember(id, 'join', { user: 'alice', service: false }, 'bob', 'c'),
      conversations.change(id, { user: 'alice', service: false }, { name: 'name' }),
      conversations.install('e', null, id, 'alice,bob'),
      messages.accept({
        conversation: id,
        sender: 'alice',
        clientId: 'c',
        fingerprint: 'f',
        right: 'member',
        users: '',
        device: '-',
        class: 'normal',
        made: 0,
        after: null,
        awaited: false,
        tail: '}',
      }),
    );
    expectOneSlotEach(9);
    // What the acceptance derives from the partition's beginning is in the same slot, whatever the ids are.
    const base = keys.partitionBase(keys.partitionOf(id));
    for (const derived of [`${base}sent:7:${id}`, `${base}conversation:${id}`, `${base}members:${id}`]) {
      expect(slotOf(derived)).toBe(slotOf(keys.messages(keys.partitionOf(id))));
    }
  });

  test.each(ids)('user %s', async (user) => {
    const inboxes = createInboxes(
      redis,
      keys,
      { inboxRetentionMs: 1, importantRetentionMs: 1 },
      { load: async () => undefined, closed },
    );
    const revocations = createRevocations(redis, keys);
    const waiting = createWaiting(redis, keys, { afterMs: 1, windowMs: 1 });
    await ignoring(
      waiting.review(user),
      waiting.peek(user, 1),
      inboxes.attach(user, 'phone', 'g', 's', {}, 1, 0, true),
      inboxes.settlePresence(user, 1),
      inboxes.newestGroups(user, 1),
      revocations.revoke(user, 1),
      revocations.refusedBefore(user, null),
      inboxes.detach(user, 'phone', 'g', 's'),
      inboxes.forget(user, 'phone', 0),
      inboxes.page(user, 0, 10),
      inboxes.user(user),
      inboxes.devices(user),
      inboxes.read(user, 'c', 1, 0),
      inboxes.install('e', user, [], true),
      inboxes.advance([{ user, epoch: 'e', device: 'phone', position: 1, gateway: 'g', session: 's' }]),
      inboxes.renew(keys.shardOf(user), 'g', [user], 1, { tells: true, hadLapsed: true, asksGateways: true }),
      appendToInboxes(
        redis,
        keys,
        100,
        [{ sender: 'alice', device: '-', at: 1, text: '{}' }],
        [{ user, conversation: 'c', appends: [{ text: 0, seq: 1, prev: 0, joined: 0, role: 'member', mark: '' }] }],
        true,
      ),
    );
    expectOneSlotEach(16);
  });

  test('do so even if users of several shards are appended to at once', async () => {
    const users = Array.from({ length: 300 }, (_, i) => `user-${i}`);
    const append = { text: 0, seq: 1, prev: 0, joined: 0, role: 'member' as const, mark: '' as const };
    const runs = users.map((user) => ({ user, conversation: 'c', appends: [append] }));
    const texts = [{ sender: 'a', device: '-', at: 1, text: '{}' }];
    await ignoring(appendToInboxes(redis, { ...keys, groupOf: keys.shardOf }, 100, texts, runs, false));
    expect(calls.length).toBe(64);
    expectOneSlotEach(1);
  });
});

describe('conversations and users', () => {
  const keys = createKeys('rst', 4, 64);

  test('are spread over partitions and shards, always in the same way', () => {
    const names = Array.from({ length: 4000 }, (_, i) => `user-${i}`);
    const shards = new Set(names.map((name) => keys.shardOf(name)));
    const partitions = new Set(names.map((name) => keys.partitionOf(name)));
    expect([shards.size, partitions.size]).toEqual([64, 4]);
    // A deployment keeps its data under these: they must never come out otherwise.
    expect([keys.shardOf('alice'), keys.shardOf('bob'), keys.partitionOf('g'), keys.partitionOf('d_x')]).toEqual([
      7, 0, 2, 3,
    ]);
    expect(keys.inbox('alice')).toBe('rst:{i7}:inbox:alice');
  });

  test('have keys that begin with the prefix', () => {
    const other = createKeys('im_2', 2, 3);
    const all = [
      other.partitionSlot(1),
      other.messages(1),
      other.trial(1, 'inbox'),
      other.conversation(1, 'g'),
      other.members(1, 'g'),
      other.lease(1, 'inbox'),
      other.shardSlot(2),
      other.waiting(2),
      other.inbox('a'),
      other.user('a'),
      other.gaps('a'),
      other.devices('a'),
      other.deployment,
      other.roster('inbox'),
      other.push('g'),
      other.queuePrefix('q'),
    ];
    expect(all.filter((key) => !key.startsWith('im_2:'))).toEqual([]);
    expect(new Set(all).size).toBe(all.length);
  });
});
