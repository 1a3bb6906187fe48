import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import { createMessages, type Messages } from '../../../shared/redis/streams/messages.ts';
import type { Send } from '../../../shared/redis/streams/sends.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';

/**
 * The pool of known clientIds with parts of 0.4 s in place of an hour: how long one is known, and that its memory is
 * given back.
 */

const dedupeMs = 400;
/** Parts turn by time, and only when somebody sends: the sends that turn them come at this pace. */
const betweenSendsMs = 5;
const bob = directConversation('alice', 'bob');
let redis: Redis;
beforeAll(() => {
  redis = connectRedis(inject('redisUrl'), { protocol: 2 });
});
afterAll(() => redis.disconnect());

/** `lookedUp`: the clientIds that this gateway had searched for in history, which knows none. */
type Gateway = { send(clientId: string, more?: Partial<Send>): ReturnType<Messages['accept']>; lookedUp: string[] };
type Pool = { keys: Keys; gateway(): Gateway; parts(): Promise<number[]> };

/** Sends until the first two parts of the pool are gone. */
async function turnTwice({ parts }: Pool, { send }: Gateway): Promise<void> {
  for (let i = 0; (await parts()).some((part) => part < 3); i++) {
    await send(`turning-${i}`);
    await pause(betweenSendsMs);
  }
}

async function pool(): Promise<Pool> {
  const prefix = `t${randomBytes(6).toString('hex')}`;
  const keys = createKeys(prefix, 1, 1);
  await openSlot(redis, keys.partitionSlot(0), keys.messages(0));
  return {
    keys,
    gateway() {
      const lookedUp: string[] = [];
      const messages = createMessages(
        redis,
        keys,
        { dedupeMs, mostUnsettled: 100_000, mostInInboxes: 500, gateway: 'g' },
        {
          load: async () => false,
          closed: () => undefined,
          seen: () => undefined,
          async lookup(sends) {
            lookedUp.push(...sends.map(({ clientId }) => clientId));
            return sends.map(() => null);
          },
        },
      );
      return {
        lookedUp,
        send: (clientId, more = {}) =>
          messages.accept({
            conversation: bob,
            sender: 'alice',
            clientId,
            fingerprint: 'f',
            right: 'direct',
            users: 'alice,bob',
            device: '*',
            class: 'normal',
            made: 0,
            after: null,
            awaited: false,
            tail: `"sender":"alice","clientId":"${clientId}","kind":"text","body":1,"class":"normal"}`,
            ...more,
          }),
      };
    },
    parts: async () =>
      [...new Set((await redis.keys(`${prefix}:{p0}:sent:*`)).map((key) => Number(key.split(':')[3])))].sort(
        (one, other) => one - other,
      ),
  };
}

test('a clientId is known for as long as promised, and its memory is given back afterwards', async () => {
  const { gateway, parts } = await pool();
  const { send } = gateway();
  const first = await send('one');
  const began = performance.now();
  for (let i = 0; ; i++) {
    await send(`other-${i}`);
    const found = await parts();
    expect(found.length).toBeLessThanOrEqual(2);
    if (!found.includes(1)) break;
    expect(await send('one')).toEqual({ ...first, duplicate: true });
    await pause(betweenSendsMs);
  }
  expect(performance.now() - began).toBeGreaterThan(dedupeMs);
  expect(await send('one')).toMatchObject({ duplicate: false });
}, 30_000);

test('a part stands no shorter for being watched by several gateways at once', async () => {
  const { gateway, parts } = await pool();
  const gateways = Array.from({ length: 5 }, gateway);
  let turned = performance.now();
  for (let i = 0, newest = 1; newest < 4; i++) {
    await Promise.all(gateways.map(({ send }, g) => send(`${g}-${i}`)));
    const now = performance.now();
    const part = (await parts()).at(-1)!;
    if (part > newest) {
      expect(part).toBe(newest + 1);
      expect(now - turned).toBeGreaterThan(dedupeMs * 0.9);
      newest = part;
      turned = now;
    }
    await pause(betweenSendsMs);
  }
}, 30_000);

test('without sends nothing is forgotten, and a gateway that was there counts the pause', async () => {
  const { gateway, parts } = await pool();
  const { send } = gateway();
  const first = await send('one');
  // Time itself is tested: three parts' worth of it, in which nobody sends.
  await pause(3 * dedupeMs);
  expect(await send('one')).toEqual({ ...first, duplicate: true });
  await gateway().send('of one that has just come');
  expect(await parts()).toEqual([1]);
  await send('two');
  await send('three');
  expect(await parts()).toEqual([1, 2]);
});

test('what version 0.1.0 has accepted is found, while it is written there and for its time afterwards', async () => {
  const { keys, gateway, parts } = await pool();
  const { send } = gateway();
  const older = async (bucket: number, clientId: string, seq: number) => {
    const hash = ('a'.charCodeAt(0) * 7 + 'e'.charCodeAt(0) * 3 + 5) % 32;
    await redis.hset(`${keys.partitionBase(0)}sent:${bucket}:${hash}`, `alice ${bob} ${clientId}`, `f ${seq} 5-${seq}`);
    await redis.hset(keys.partitionSlot(0), 'bucket', bucket);
  };
  const bucket = Math.floor(Date.now() / dedupeMs);
  await older(bucket - 1, 'old-1', 1);
  await older(bucket, 'old-2', 2);
  expect(await send('old-1')).toMatchObject({ seq: 1, duplicate: true });
  expect(await send('old-2')).toMatchObject({ seq: 2, duplicate: true });
  await send('new');
  await older(bucket + 1, 'old-3', 3);
  expect(await send('old-3')).toMatchObject({ seq: 3, duplicate: true });
  expect(await send('old-2')).toMatchObject({ seq: 2, duplicate: true });
  for (let i = 0; (await redis.hexists(keys.partitionSlot(0), 'bucket')) === 1; i++) {
    expect(await send('old-3')).toMatchObject({ duplicate: true });
    await send(`other-${i}`);
    await pause(betweenSendsMs);
  }
  await send('newest');
  // Two parts of now, and of the older version's only the one that it would have dropped itself.
  expect(await parts()).toEqual([2, 3, bucket - 1]);
}, 30_000);

test('a clientId older than the pool, or up to 5 minutes younger, is looked for in history', async () => {
  const one = await pool();
  const gateway = one.gateway();
  await gateway.send('first');
  await turnTwice(one, gateway);
  const minutes = async (clientId: string, ahead: number) =>
    void (await gateway.send(clientId, { made: Date.now() + ahead * 60_000 }));
  await gateway.send('plain');
  await minutes('an hour old', -60);
  await minutes('3 minutes ahead', 3);
  await minutes('4.9 minutes ahead', 4.9);
  await minutes('5.1 minutes ahead', 5.1);
  await minutes('a day ahead', 1440);
  expect(gateway.lookedUp).toEqual(['an hour old', '3 minutes ahead', '4.9 minutes ahead']);
  expect(await gateway.send('an hour old', { made: 1 })).toMatchObject({ duplicate: true });
  expect(gateway.lookedUp).toHaveLength(3);
}, 30_000);

test('in a conversation that is younger than what the pool knows nothing is looked for', async () => {
  const one = await pool();
  const gateway = one.gateway();
  await gateway.send('old', { made: 1 });
  await turnTwice(one, gateway);
  await gateway.send('older', { made: 1 });
  const young = { conversation: directConversation('alice', 'carol'), users: 'alice,carol' };
  await gateway.send('oldest', { made: 1, ...young });
  expect(gateway.lookedUp).toEqual(['older']);
}, 30_000);
