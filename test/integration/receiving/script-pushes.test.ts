import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { messageText } from '../../../shared/model/message-text.ts';
import { appendToInboxes, type InboxRun, type InboxText } from '../../../shared/redis/inboxes/inbox-appends.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis, duplicateOf } from '../../support/redis-connection.ts';

/** What the appending script publishes by itself: payloads for gateways, as push-bus.ts describes them. */

const at = 1_764_000_000_000;
let redis: Redis;
let subscriber: Redis;
let keys: Keys;
let payloads: [gateway: string, lines: string[]][];

beforeAll(async () => {
  redis = connectRedis(inject('redisUrl'), { protocol: 2 });
  subscriber = await duplicateOf(redis);
  keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  await openSlot(redis, keys.shardSlot(0));
  for (const gateway of ['g1', 'g2']) await redis.hset(keys.shardSlot(0), `gateway:${gateway}`, at * 2);
  const channels = new Map(['g1', 'g2'].map((gateway) => [keys.push(gateway), gateway]));
  subscriber.on('message', (channel: string, payload: string) =>
    payloads.push([channels.get(channel)!, payload.split('\n')]),
  );
  await subscriber.subscribe(...channels.keys());
});
afterAll(() => {
  redis.disconnect();
  subscriber.disconnect();
});

const textOf = (conversation: string, seq: number): InboxText => ({
  sender: 'writer',
  device: '*',
  at,
  text: messageText(0, { streamId: `${at}-${seq}`, conversation, seq, at, tail: '"sender":"writer"}' }),
});

const runOf = (user: string, conversation: string, texts: [index: number, seq: number][]): InboxRun => ({
  user,
  conversation,
  appends: texts.map(([text, seq]) => ({ text, seq, prev: seq - 1, joined: 0, role: 'member', mark: '' })),
});

/** Appends for users at these gateways. Resolves once everything that was published has come. */
async function append(routes: Record<string, string>, texts: InboxText[], runs: InboxRun[]): Promise<void> {
  for (const [user, gateways] of Object.entries(routes)) {
    const route = gateways.split(' ').map((gateway) => `${gateway} session phone`);
    await redis.hset(keys.user(user), { epoch: 'epoch', routes: route.join(';') });
  }
  payloads = [];
  await appendToInboxes(redis, keys, 100, texts, runs, true);
  // Both come over one connection, so what was published before has come.
  await subscriber.unsubscribe('nothing');
}

test('one payload a gateway has each message once, for all users of that gateway', async () => {
  const texts = [textOf('c', 1), textOf('c', 2)];
  const both: [number, number][] = [
    [0, 1],
    [1, 2],
  ];
  await append({ ann: 'g1', ben: 'g1 g2', cleo: 'g2' }, texts, [
    runOf('ann', 'c', both),
    runOf('ben', 'c', both),
    runOf('cleo', 'c', both),
  ]);
  expect(new Map(payloads)).toEqual(
    new Map([
      ['g1', ['D', 'writer * ann:1,ben:1', texts[0]!.text, 'writer * ann:2,ben:2', texts[1]!.text]],
      ['g2', ['D', 'writer * ben:1,cleo:1', texts[0]!.text, 'writer * ben:2,cleo:2', texts[1]!.text]],
    ]),
  );
  expect(payloads).toHaveLength(2);
});

test('the positions of a user rise in a payload, whatever another user lacks', async () => {
  const texts = [textOf('d', 1), textOf('d', 2)];
  await append({ dora: 'g1', eve: 'g1' }, texts, [
    { ...runOf('dora', 'd', [[1, 2]]), appends: [{ text: 1, seq: 2, prev: 1, joined: 1, role: 'member', mark: '' }] },
    runOf('eve', 'd', [
      [0, 1],
      [1, 2],
    ]),
  ]);
  expect(payloads.map(([, [, ...lines]]) => lines.filter((_, i) => i % 2 === 0))).toEqual([
    ['writer * dora:1', 'writer * eve:1', 'writer * eve:2'],
  ]);
});

test('an amendment comes in a payload of its own, between what stands before and behind it', async () => {
  const amends = { target: 1, version: 1, action: 'edit' as const, body: '"new"' };
  const texts = [textOf('e', 1), { ...textOf('e', 2), amends }, textOf('e', 3)];
  const run = runOf('finn', 'e', [
    [0, 1],
    [1, 2],
    [2, 3],
  ]);
  Object.assign(run.appends[1]!, { role: 'quiet', sees: true });
  await append({ finn: 'g1' }, texts, [run]);
  expect(payloads.map(([, lines]) => lines)).toEqual([
    ['D', 'writer * finn:1', texts[0]!.text],
    ['W', 'writer * 1 1 e finn:2 *', texts[1]!.text, '"new"'],
    ['D', 'writer * finn:3', texts[2]!.text],
  ]);
});
