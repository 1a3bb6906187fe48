import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { type Entry, hasText, readEntry } from '../../shared/model/entry.ts';
import { directConversation, sortedPair } from '../../shared/model/ids.ts';
import { messageTail } from '../../shared/model/message-text.ts';
import { createKeys } from '../../shared/redis/keys.ts';
import { run } from '../../shared/redis/scripts.ts';
import { createAmends } from '../../shared/redis/streams/amends.ts';
import { createMessages } from '../../shared/redis/streams/messages.ts';
import { createPoolWitness } from '../../shared/redis/streams/pool-witness.ts';
import type { Send } from '../../shared/redis/streams/sends.ts';
import { createShortWay } from '../../shared/redis/streams/short-way.ts';
import { createFanout } from '../../workers/fanout/fanout.ts';
import { createPassing } from '../../workers/fanout/passing.ts';
import { createRecipients } from '../../workers/fanout/recipients.ts';
import { openSlot } from './open-slot.ts';
import { duplicateOf } from './redis-connection.ts';

/**
 * One partition and its fanout in this process, on real Redis: direct messages go both ways, and what is stored of them
 * can be compared. The fanout does nothing until it is asked.
 */

const unasked = async (): Promise<never> => {
  throw new Error('nobody asks this here');
};
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export type WorldOptions = { isShort: boolean; users: readonly string[]; most: number; notifyAfterMs: number };

export type World = Awaited<ReturnType<typeof openWorld>>;

/** Times and stream ids differ from run to run. */
const masked = (text: string): string => text.replace(/\d{13,}(-\d+)?/g, 'T');

export async function openWorld(redis: Redis, { isShort, users, most, notifyAfterMs }: WorldOptions) {
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 8);
  const slot = keys.partitionSlot(0);
  const stream = keys.messages(0);
  await openSlot(redis, slot, stream);
  for (let shard = 0; shard < keys.inboxShards; shard++) await openSlot(redis, keys.shardSlot(shard));
  // As after their first hello.
  for (const user of users) await redis.hset(keys.user(user), 'epoch', 'epoch');

  const pushes: string[] = [];
  const subscriber = await duplicateOf(redis);
  subscriber.on('message', (channel: string, payload: string) => {
    const [kind, ...lines] = payload.split('\n');
    const gateway = channel.slice(keys.pushBase.length);
    for (let i = 0; i < lines.length; i += 2) pushes.push(`${gateway} ${kind} ${lines.slice(i, i + 2).join(' ')}`);
  });

  const counted = { short: 0, long: 0 };
  let isOn = true;
  const limits = { dedupeMs: 600_000, mostUnsettled: 100_000, mostInInboxes: 500, gateway: 'g1' };
  const witness = createPoolWitness();
  const seen = () => undefined;
  const shortWay = createShortWay(
    keys,
    { isOn: () => isShort && isOn, inboxMaxEntries: most, notifyAfter: { ms: notifyAfterMs } },
    { sending: () => undefined, accepted: (way, messages) => void (counted[way] += messages) },
  );
  const messages = createMessages(
    redis,
    keys,
    { ...limits, shortWay },
    { load: unasked, lookup: unasked, closed: () => void unasked(), seen },
    witness,
  );
  const amends = createAmends(
    redis,
    keys,
    { ...limits, retentionMs: Infinity },
    {
      load: unasked,
      closed: () => void unasked(),
      seen,
      lookUp: async (conversation, seq) => {
        const entry = (await entriesOf()).find(
          (one) => one.type === 'message' && one.conversation === conversation && one.seq === seq,
        );
        if (entry?.type !== 'message') return null;
        const { sender, at, streamId } = entry;
        return `0 * 0 ${sender} ${at} ${streamId} ${sender} ${at} normal text hash`;
      },
    },
    witness,
  );
  const buried: string[] = [];
  const passing = createPassing(redis, keys);
  const fanout = createFanout({
    pace: { took: () => undefined },
    redis,
    keys,
    passing,
    outdated: { of: () => null },
    log: quiet,
    closed: () => undefined,
    evidence: { appended: () => undefined },
    inboxMaxEntries: most,
    notifyAfterMs: () => notifyAfterMs,
    bury: async ({ reason }) => void buried.push(reason),
    founders: () => {
      throw new Error('nobody asks this here');
    },
    recipients: createRecipients({
      read: unasked,
      members: async () => ({ version: 1, spans: new Map(users.map((user) => [user, [{ joined: 0, left: null }]])) }),
    }),
  });

  // The fanout has been there for a while: what comes from now on is passed over.
  await passing.of(0, [readEntry('1-0', ['r', '1 message c 1 0 1 a * normal a,b -', 't', '{}', 's', '1'])]);

  let sends = 0;
  const entriesOf = async (): Promise<Entry[]> =>
    (await redis.xrange(stream, '-', '+')).map(([id, fields]) => readEntry(id, fields));
  async function readByGroup(): Promise<Entry[]> {
    const reply = await redis.xreadgroup('GROUP', 'inbox', 'inbox', 'STREAMS', stream, '>');
    const [, list] = (reply as [string, [string, string[]][]][] | null)?.[0] ?? ['', []];
    return list.map(([id, fields]) => readEntry(id, fields));
  }

  function sendOf(from: string, to: string, more: Partial<Send> & { length?: number } = {}): Send {
    const clientId = `c${++sends}`;
    const { length = 5, ...rest } = more;
    return {
      conversation: directConversation(from, to),
      sender: from,
      clientId,
      fingerprint: 'x'.repeat(22),
      right: 'direct',
      users: sortedPair(from, to).join(','),
      device: `${from}-phone`,
      class: 'normal',
      made: 0,
      after: null,
      awaited: false,
      tail: messageTail(from, clientId, 'text', JSON.stringify('x'.repeat(length)), 'normal'),
      ...rest,
    };
  }

  return {
    redis,
    keys,
    users,
    counted,
    buried,
    passing,
    pushes: async (): Promise<string[]> => {
      // What was published before has come, because both come over one connection.
      await subscriber.unsubscribe('nothing');
      return pushes.splice(0).map(masked).sort();
    },
    switch: (on: boolean): void => void (isOn = on),
    sendOf,
    accept: messages.accept,
    send: (from: string, to: string, more: Partial<Send> & { length?: number } = {}) =>
      messages.accept(sendOf(from, to, more)),
    recall: (by: string, peer: string, seq: number) =>
      amends.amend({
        conversation: directConversation(by, peer),
        by,
        service: false,
        seq,
        action: 'recall',
        body: null,
        hash: '*',
        clientId: `c${++sends}`,
        isNamed: true,
        device: `${by}-phone`,
        ifVersion: undefined,
        withinMs: 0,
        awaited: false,
      }),

    /** The user has devices at these gateways. */
    async attach(user: string, ...gateways: string[]): Promise<void> {
      const key = keys.user(user);
      await redis.hset(key, {
        epoch: 'epoch',
        routes: gateways.map((one) => `${one} session ${user}-phone`).join(';'),
      });
      for (const one of gateways) await redis.hset(keys.shardSlot(keys.shardOf(user)), `gateway:${one}`, 9e15);
      await subscriber.subscribe(...gateways.map(keys.push));
    },

    entries: entriesOf,

    /** All that its group has not been given yet, in one batch. Resolves how many entries these were. */
    async fanOut(repeated = false): Promise<number> {
      const found = await readByGroup();
      if (found.length === 0) return 0;
      const handled = await fanout.handle(0, found, repeated, 'epoch');
      if (handled === 'again') throw new Error('something earlier is missing');
      for (const { channel, payload } of handled.publish) await redis.publish(channel, payload);
      await run(redis, 'settle-entries', [slot, stream], ['inbox', ...handled.settle]);
      return found.length;
    },
    /** The group is given everything once more. */
    fanOutAgain: () => redis.xgroup('SETID', stream, 'inbox', '0'),

    /** How many entries the group has not settled, as the slot counts them. */
    async unsettled(): Promise<number> {
      const [appended, settled] = await redis.hmget(slot, 'appended', 'settled:inbox');
      return Number(appended ?? 0) - Number(settled ?? 0);
    },

    /** By message, which way it went: `S` or `L`. */
    ways: async (): Promise<string> =>
      (await entriesOf())
        .filter(hasText)
        .map((entry) => (entry.type === 'amended' ? 'a' : entry.short ? 'S' : 'L'))
        .join(''),

    /** All that is stored for each user. */
    async state(): Promise<Record<string, unknown>> {
      const state: Record<string, unknown> = {};
      for (const user of users) {
        const [gaps] = keys.gapsAndIndex(user);
        state[user] = {
          fields: Object.fromEntries(
            Object.entries(await redis.hgetall(keys.user(user))).map(([field, value]) => [field, masked(value)]),
          ),
          inbox: (await redis.xrange(keys.inbox(user), '-', '+')).map(([id, fields]) => [id, ...fields.map(masked)]),
          gaps: await redis.hgetall(gaps!),
          overlays: await redis.hlen(keys.overlays(user)),
          waits: (await redis.zscore(keys.waiting(keys.shardOf(user)), user)) !== null,
        };
      }
      return state;
    },

    async close(): Promise<void> {
      subscriber.disconnect();
      const all = await redis.keys(keys.every);
      if (all.length > 0) await redis.unlink(all);
    },
  };
}
