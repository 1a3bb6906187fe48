import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { messageTail, messageText } from '../../../shared/model/message-text.ts';
import { appendToInboxes } from '../../../shared/redis/inboxes/inbox-appends.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { loadScripts } from '../../../shared/redis/scripts.ts';
import { createMessages } from '../../../shared/redis/streams/messages.ts';
import type { Send } from '../../../shared/redis/streams/sends.ts';
import { createShortWay, type ShortWay } from '../../../shared/redis/streams/short-way.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';
import { type RedisServer, startRedis } from '../../support/redis-server.ts';

/**
 * What Redis has to do for a direct message: the commands that the scripts carry out, and the bytes that they are given
 * and answer with. Time depends on the machine; these do not. They may fall: then lower the bounds.
 */

const pairs = 64;
const keys = createKeys('costs', 1, 16);
const gateway = 'gateway-1';
const at = 1_764_000_000_000;

let server: RedisServer;
let redis: Redis;
beforeAll(async () => {
  server = await startRedis();
  redis = connectRedis(server.url, { protocol: 2 });
  await openSlot(redis, keys.partitionSlot(0), keys.messages(0));
  // Clients that are known have a part before the one that is written.
  await redis.hset(keys.partitionSlot(0), 'sent', `2 0 ${at} 0 600000 epoch`);
  for (let shard = 0; shard < 16; shard++) {
    await openSlot(redis, keys.shardSlot(shard));
    await redis.hset(keys.shardSlot(shard), `gateway:${gateway}`, at * 2);
  }
  for (const user of Array.from({ length: 2 * pairs }, (_, pair) => pairOf(pair)).flat())
    await redis.hset(keys.user(user), {
      epoch: 'epoch',
      head: 0,
      count: 0,
      routes: `${gateway} session ${user}-phone`,
    });
  await loadScripts(redis);
});
afterAll(async () => {
  redis.disconnect();
  await server.stop();
});

const pairOf = (pair: number): [string, string] => {
  const number = String(pair).padStart(3, '0');
  return [`alice-${number}`, `bob-${number}`];
};

const tailOf = (sender: string, clientId: string): string =>
  messageTail(sender, clientId, 'text', JSON.stringify('x'.repeat(100)), 'normal');

const none = async () => {
  throw new Error('Redis can decide by itself');
};
const messages = (on: Redis, shortWay?: ShortWay) =>
  createMessages(
    on,
    keys,
    { dedupeMs: 600_000, mostUnsettled: 100_000, mostInInboxes: 500, gateway, ...(shortWay && { shortWay }) },
    { load: none, lookup: none, closed: () => undefined, seen: () => undefined },
  );

let sent = 0;
function sendOf(pair: number): Send {
  const [alice, bob] = pairOf(pair);
  const clientId = `0197b3c1-7000-7000-8000-${String(sent++).padStart(12, '0')}`;
  return {
    conversation: directConversation(alice, bob),
    sender: alice,
    clientId,
    fingerprint: 'x'.repeat(22),
    right: 'direct',
    users: `${alice},${bob}`,
    device: `${alice}-phone`,
    class: 'normal',
    made: Date.now(),
    after: null,
    awaited: false,
    tail: tailOf(alice, clientId),
  };
}

type Costs = { commands: number; given: number; answered: number };

/** What Redis does for one of `count` messages that `work` gives it; `given` is without the bytes of `payload`. */
async function costsOf(count: number, payload: number, work: () => Promise<unknown>): Promise<Costs> {
  const read = async (): Promise<Costs> => {
    const text = (await redis.info('commandstats')) + (await redis.info('stats'));
    const commands = [...text.matchAll(/^cmdstat_(?!info|evalsha)\S+?:calls=(\d+)/gm)];
    const field = (name: string): number => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(text)![1]);
    return {
      commands: commands.reduce((sum, [, calls]) => sum + Number(calls), 0),
      given: field('total_net_input_bytes'),
      answered: field('total_net_output_bytes'),
    };
  };
  await read();
  const before = await read();
  const again = await read();
  await work();
  const after = await read();
  // The questions themselves have bytes, too: as many as between the first two readings, or a few more.
  const between = (name: keyof Costs): number => after[name] - again[name] - (again[name] - before[name]);
  return {
    commands: between('commands') / count,
    given: (between('given') - payload) / count,
    answered: between('answered') / count,
  };
}

test('a message is accepted with few commands and little text', async () => {
  const { accept } = messages(redis);
  const round = () => Array.from({ length: pairs }, (_, pair) => sendOf(pair));
  const send = (sends: Send[]) => Promise.all(sends.map(accept));
  await send(round());
  const payloadOf = (sends: Send[]) => sends.reduce((sum, { tail }) => sum + tail.length, 0);

  const many = round();
  const together = await costsOf(pairs, payloadOf(many), () => send(many));
  // The pool's two parts, the conversation, the entry and the new seq are five. The pool is written once for a hash.
  expect(together.commands).toBeLessThan(5.3);
  expect(together.given).toBeLessThan(230);
  expect(together.answered).toBeLessThan(30);

  const one = [sendOf(0)];
  const alone = await costsOf(1, payloadOf(one), () => send(one));
  expect(alone.commands).toBe(9);
  expect(alone.given).toBeLessThan(540);

  const ofOnePair = Array.from({ length: pairs }, () => sendOf(1));
  const toOne = await costsOf(pairs, payloadOf(ofOnePair), () => send(ofOnePair));
  expect(toOne.commands).toBeLessThan(3.15);
  expect(toOne.given).toBeLessThan(150);
});

test('a message is appended to two inboxes with few commands and little text', async () => {
  const append = (of: number[], seq: number, publish: boolean) => {
    const texts = of.map((pair) => {
      const [alice, bob] = pairOf(pair);
      const parts = { streamId: `${at}-${seq}`, conversation: directConversation(alice, bob), seq, at };
      return {
        sender: alice,
        device: `${alice}-phone`,
        at,
        text: messageText(0, { ...parts, tail: tailOf(alice, 'c') }),
      };
    });
    const runs = of.flatMap((pair, text) =>
      pairOf(pair).map((user, i) => ({
        user,
        conversation: directConversation(...pairOf(pair)),
        appends: [
          {
            text,
            seq,
            prev: seq - 1,
            joined: 0,
            role: i === 0 ? ('sender' as const) : ('member' as const),
            mark: '' as const,
          },
        ],
      })),
    );
    const payload = texts.reduce((sum, { text }) => sum + text.length, 0);
    return { payload, work: () => appendToInboxes(redis, keys, 2000, texts, runs, publish) };
  };
  const all = Array.from({ length: pairs }, (_, pair) => pair);
  await append(all, 1, false).work();

  const many = append(all, 2, false);
  const together = await costsOf(pairs, many.payload, many.work);
  // For each inbox its state, the entry and the new state; a shard's slot is read once.
  expect(together.commands).toBeLessThan(6.3);
  expect(together.given).toBeLessThan(315);

  const one = append([0], 3, true);
  const alone = await costsOf(1, one.payload, one.work);
  // The two slots, the clock and the push come on top. One push has both users.
  expect(alone.commands).toBe(10);
  expect(alone.given).toBeLessThan(510);
});

test('a message that goes the short way takes few commands and little text', async () => {
  let short = 0;
  const shortWay = createShortWay(
    keys,
    { isOn: () => true, inboxMaxEntries: 2000, notifyAfter: { ms: 0 } },
    { sending: () => undefined, accepted: (way, count) => void (short += way === 'short' ? count : 0) },
  );
  const { accept } = messages(redis, shortWay);
  const send = (sends: Send[]) => Promise.all(sends.map(accept));
  const payloadOf = (sends: Send[]) => sends.reduce((sum, { tail }) => sum + tail.length, 0);
  const round = () => Array.from({ length: pairs }, (_, pair) => sendOf(pairs + pair));
  await send(round());
  // The fanout has been given all that is there.
  await redis.xgroup('SETID', keys.messages(0), 'inbox', '$');

  const many = round();
  const together = await costsOf(pairs, payloadOf(many), () => send(many));
  // What accepting takes, and for each inbox its state, the entry and the new state.
  expect(together.commands).toBeLessThan(11.6);
  expect(together.given).toBeLessThan(280);
  expect(together.answered).toBeLessThan(30);

  const one = [sendOf(pairs)];
  const alone = await costsOf(1, payloadOf(one), () => send(one));
  // The two slots, where the group is and where it goes, its count, and the push come on top.
  expect(alone.commands).toBe(22);
  expect(alone.given).toBeLessThan(650);
  expect(short).toBe(2 * pairs + 1);
});

test('a conversation that a script fails over takes nothing from the other sends of its call', async () => {
  const { accept } = messages(redis);
  const first = await accept(sendOf(2));
  const broken = sendOf(3);
  await accept(broken);
  await redis.hdel(keys.conversation(0, broken.conversation), 'version');

  const [good, bad] = [sendOf(2), sendOf(3)];
  const answers = await Promise.allSettled([accept(good), accept(bad)]);
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);

  // What was appended before the failure has its seq and its clientId for good.
  const repeated = await accept(good);
  expect(repeated).toMatchObject({ seq: first.seq + 1, duplicate: true });
  expect(await accept(sendOf(2))).toMatchObject({ seq: first.seq + 2, duplicate: false });
});
