import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeEach, describe, expect, inject, test } from 'vitest';
import { groupNames } from '../../../shared/model/groups.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { type Argument, run, type ScriptName, scriptNames } from '../../../shared/redis/scripts.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/**
 * Every script on the slot of a partition or a shard does nothing in a run of Redis for which the slot is not open. A
 * new script must be added here.
 */

const redis = connectRedis(inject('redisUrl'), { protocol: 2 });
/** Knows no run. */
const stranger = new Redis(inject('redisUrl'), { protocol: 2 });
afterAll(() => {
  redis.disconnect();
  stranger.disconnect();
});

const otherRun = 'f'.repeat(40);
const now = Date.now();

/** A call of each script; `closed` is its reply if the slot is not open. */
type Call = { keys: string[]; args: Argument[]; closed: unknown };

function callsOf(keys: Keys): Partial<Record<ScriptName, Call>> {
  const id = 'g';
  const slot = keys.partitionSlot(0);
  const messages = keys.messages(0);
  const conversation = keys.conversation(0, id);
  const members = keys.members(0, id);
  const listed = keys.listed(0, id);
  const staged = keys.staged(0, id, 'token');
  const inSlot = [slot, messages, conversation, members];
  const shard = keys.shardSlot(0);
  const user = keys.user('bob');
  const receipts = keys.receipts(0, id);
  const settings = keys.settings('bob');
  const devices = keys.devices('bob');
  const [waiting, told, inbox] = [keys.waiting(0), keys.told(0), keys.inbox('bob')];
  const withGaps = [shard, user, devices, ...keys.gapsAndIndex('bob')];
  const send = [id, 'member', 1, 'c', 'f', 'alice * normal', '}', 1];
  const base = keys.shardBase('bob');
  const append = [base, 1, 1, 0, 'member'];
  const text = ['alice', '*', now, '{}'];
  const [word, list] = ['closed', ['closed']];
  return {
    'accept-messages': {
      keys: [slot, messages],
      args: [keys.partitionBase(0), 60_000, 1000, 500, '', 0, '', '', '', '', '', ...send],
      closed: list,
    },
    'adopt-pending': { keys: [slot, messages], args: ['inbox', 0, 0], closed: list },
    'advance-devices': { keys: [user], args: [base, 'epoch', 'phone', 1, 'gateway', ''], closed: list },
    'advance-read': { keys: [shard, user], args: [id, 1, 0], closed: list },
    'amend-message': {
      keys: [...inSlot, keys.notes(0, id)],
      args: [
        ...[keys.partitionBase(0), 60_000, '', 0, 1000, 500, id, 'alice', 1, 1, 'r', 'null', '*', 'c', 'f', '*', ''],
        ...[0, '', '', 1000, '', 0],
      ],
      closed: list,
    },
    'append-inbox': { keys: [user], args: [100, 1, '', 0, 1, id, 1, 0, ...text, ...append], closed: list },
    'attach-device': {
      keys: [shard, user, devices, keys.revoked('bob'), keys.revokedDevices('bob')],
      args: ['gateway', 'session', 'phone', '', '', 1000, 20, 1000, 1, 0, '', 0, 1000],
      closed: list,
    },
    'catch-up': { keys: withGaps, args: [1], closed: list },
    'change-conversation': { keys: inSlot, args: [id, 'alice', 1, 1, 'name', 0, '', '{}', 1000], closed: word },
    'change-member': {
      keys: [...inSlot, keys.merged(0, id), listed],
      args: [id, 'join', 'alice', 1, 'bob', 'joined', '}', 10, 500, 10, 1000],
      closed: word,
    },
    'compare-members': { keys: [slot, conversation, members], args: [1, 'alice'], closed: word },
    'copy-settings': { keys: [shard, user], args: [1, 'shared', 0, keys.presence(0)], closed: word },
    'create-conversation': {
      keys: [slot, messages, keys.conversation(0, 'new'), keys.members(0, 'new')],
      args: ['new', 0, '', 500, '', 1, 1000, '{}', '', 'alice'],
      closed: word,
    },
    'create-staged': {
      keys: [slot, messages, keys.conversation(0, 'new'), keys.members(0, 'new'), staged],
      args: ['new', 0, '', 500, '', 1, 1000, 1, '', '{}', ''],
      closed: word,
    },
    'detach-device': { keys: [shard, user, devices], args: ['gateway', 'session', 'phone'], closed: word },
    'drop-lease': { keys: [keys.lease(0, 'inbox'), slot], args: ['process'], closed: word },
    'due-waiting': { keys: [shard, waiting, told], args: [1, 1, 10], closed: list },
    'forget-device': {
      keys: [shard, user, devices, keys.revokedDevices('bob'), keys.revoked('bob')],
      args: ['phone', 1, 100],
      closed: list,
    },
    'hold-lease': { keys: [keys.lease(0, 'history'), slot], args: ['process', 1000], closed: word },
    'install-conversation': {
      keys: [slot, messages, keys.conversation(0, 'new'), keys.members(0, 'new'), staged],
      args: ['new', 'group', '', now, 0, '', 1, 0, '', 1, '', '', 0, 0, '', '', 0, '', 'epoch', 'alice', '0-'],
      closed: word,
    },
    'install-settings': { keys: [slot, settings], args: [1, 'epoch', 'receipts', 1, 'true'], closed: word },
    'install-user': { keys: [...withGaps, inbox, keys.overlays('bob')], args: [1, 1, 'epoch'], closed: word },
    'keep-recent': { keys: [slot, keys.recent(0, id), conversation], args: [0, 1000, 10, 1000, 1, '{}'], closed: word },
    'know-send': { keys: [slot], args: [keys.partitionBase(0), 1000, id, 'alice', 'c1', 'f 1 1-1'], closed: word },
    'may-see': { keys: [shard, user], args: [10], closed: list },
    'note-receipts': { keys: [slot], args: [keys.partitionBase(0), 100, id, 1, 'alice', 1, 1, 1, ''], closed: list },
    'page-inbox': {
      keys: [shard, user, inbox, devices, ...keys.gapsAndIndex('bob'), keys.overlays('bob')],
      args: [0, 10, 1000, '', 1000, 1000, 1, '', now],
      closed: list,
    },
    'page-members': { keys: [slot, conversation, members, listed], args: ['', '', 10, 10, 10, 1000], closed: list },
    'peek-waiting': { keys: [shard, user, inbox, keys.gaps('bob'), devices], args: ['bob', 1], closed: list },
    'read-conversation': {
      keys: [...inSlot, keys.recent(0, id)],
      args: [id, 'alice', 10, 0, '', '', 1000],
      closed: list,
    },
    'read-devices': { keys: [shard, user, devices], args: [1000, 1000], closed: list },
    'read-large': { keys: [slot, conversation, members], args: ['alice'], closed: list },
    'read-members': { keys: [slot, conversation, members], args: [0, 10, 10], closed: list },
    'read-texts': { keys: [shard, inbox, keys.overlays('bob')], args: [1], closed: list },
    'read-receipts': { keys: [slot, conversation, members, receipts], args: ['alice', 100], closed: list },
    'read-settings': { keys: [slot, settings], args: [], closed: list },
    'read-user': { keys: [shard, user], args: [], closed: list },
    'refill-pool': { keys: [slot], args: [keys.partitionBase(0), 1000, id], closed: word },
    'renew-gateway': { keys: [shard, user], args: ['gateway', 1000, '', 0, 0], closed: [''] },
    'review-waiting': {
      keys: [shard, user, inbox, keys.gaps('bob'), devices, waiting, told],
      args: ['bob', 1, 1],
      closed: list,
    },
    'revoke-user': { keys: [shard, keys.revoked('bob'), user], args: [1], closed: word },
    'routes-of': { keys: [user], args: [keys.shardBase('bob'), 'bob'], closed: ['closed', ''] },
    'set-setting': { keys: [slot, messages, settings], args: ['bob', 10, 1000, 'receipts', 'false'], closed: word },
    'settle-entries': { keys: [slot, messages], args: ['inbox', '1-1'], closed: word },
    'settle-presence': { keys: [shard, user, devices], args: ['bob', keys.presence(0), 1000], closed: list },
    'spend-budget': { keys: [shard, keys.budget('bob', 'create')], args: [1, 1000], closed: word },
    'stage-held': { keys: [slot, keys.conversation(0, 'new'), members, staged], args: [1000, 0, 10], closed: list },
    'stage-members': { keys: [slot, staged], args: [1000, 'alice', '0-'], closed: word },
    'sweep-overlays': { keys: [shard, inbox, keys.overlays('bob')], args: [], closed: word },
    'tell-users': { keys: [user], args: ['gateway', keys.pushBase, base], closed: list },
    'trim-messages': { keys: [slot, messages], args: [0, ...groupNames], closed: word },
    'unload-conversation': {
      keys: [...inSlot, listed, receipts],
      args: [0, 'group', '', now, 0, '', 1, 0, '', ''],
      closed: word,
    },
    'who-types': { keys: [slot, conversation, members], args: ['alice', 50, 500, 1000], closed: list },
  };
}

/** Scripts that concern the deployment as a whole, or dead letters: their keys are in no such slot. */
const withoutSlot: ScriptName[] = [
  'add-dead-letter',
  'close-dead-letter',
  'deployment-facts',
  'enlist-process',
  'mark-slots',
  'open-deployment',
  'raise-formats',
];
const names = Object.keys(callsOf(createKeys('rst', 1, 1))) as ScriptName[];

test('every script is here', () => {
  expect([...names, ...withoutSlot].sort()).toEqual([...scriptNames].sort());
});

describe('a slot', () => {
  let keys: Keys;
  const slots = () => [keys.partitionSlot(0), keys.shardSlot(0)];
  beforeEach(async () => {
    keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
    await openSlot(redis, keys.partitionSlot(0), keys.messages(0));
    await openSlot(redis, keys.shardSlot(0));
    await redis.hset(keys.conversation(0, 'g'), { epoch: 'epoch', seq: 0, version: 1, kind: 'group', count: 1 });
    await redis.hset(keys.conversation(0, 'g'), { createdAt: now, service: 0, name: '' });
    await redis.hset(keys.members(0, 'g'), 'alice', '0-');
  });

  /** Everything under the prefix of this test. */
  async function contents(): Promise<Record<string, string>> {
    const found: Record<string, string> = {};
    for (const key of (await redis.keys(`${keys.every}`)).sort())
      found[key] = (await redis.dumpBuffer(key)).toString('base64');
    return found;
  }

  test.each(names)('that is open for another run refuses %s, which changes nothing', async (name) => {
    const { keys: used, args, closed } = callsOf(keys)[name]!;
    expect(await run(redis, name, used, args)).not.toEqual(closed);
    await redis.del(await redis.keys(keys.every));
    for (const slot of slots()) await openSlot(redis, slot);
    for (const slot of slots()) await redis.hset(slot, 'open', otherRun);
    const before = await contents();
    expect(await run(redis, name, used, args)).toEqual(closed);
    expect(await run(stranger, name, used, args)).toEqual(closed);
    for (const slot of slots()) await redis.hset(slot, 'open', '');
    expect(await run(stranger, name, used, args)).toEqual(closed);
    for (const slot of slots()) await redis.hdel(slot, 'open');
    expect(await run(redis, name, used, args)).toEqual(closed);
    for (const slot of slots()) await redis.hset(slot, 'open', otherRun);
    expect(await contents()).toEqual(before);
  });
});
