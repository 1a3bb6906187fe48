import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { Refusal } from '../../../shared/model/errors.ts';
import { directConversation } from '../../../shared/model/ids.ts';
import { createKeys } from '../../../shared/redis/keys.ts';
import { createMessages } from '../../../shared/redis/streams/messages.ts';
import type { AcceptHelp, FirstSend, Send } from '../../../shared/redis/streams/sends.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { hoursLater } from '../../support/hours-later.ts';
import { openSlot } from '../../support/open-slot.ts';
import { connectRedis } from '../../support/redis-connection.ts';
import { sendMany } from '../../support/sending.ts';

/** Sends whose UUIDv7 is older than what the pool of known clientIds knows: history is searched for them. */

describe('while history is searched', () => {
  const keys = createKeys(`t${randomBytes(6).toString('hex')}`, 1, 1);
  const tea = directConversation('alice', 'bob');
  const green = directConversation('bob', 'carol');
  let redis: Redis;
  beforeAll(async () => {
    redis = connectRedis(inject('redisUrl'), { protocol: 2 });
    await openSlot(redis, keys.partitionSlot(0), keys.messages(0));
  });
  afterAll(() => redis.disconnect());

  const messagesWith = (lookup: AcceptHelp['lookup']) =>
    createMessages(
      redis,
      keys,
      { dedupeMs: 60_000, mostUnsettled: 1000, mostInInboxes: 500, gateway: 'g' },
      { load: async () => false, closed: () => undefined, seen: () => undefined, lookup },
    );
  const sendTo = (conversation: string, sender: string, clientId: string, made = 0): Send => ({
    conversation,
    sender,
    clientId,
    fingerprint: 'f',
    right: 'direct',
    users: 'alice,bob',
    device: '*',
    class: 'normal',
    made,
    after: null,
    awaited: false,
    tail: `"sender":"${sender}","clientId":"${clientId}","kind":"text","body":1,"class":"normal"}`,
  });

  test('sends that name others wait for the search, and keep their order', async () => {
    const searched = Promise.withResolvers<(found: (FirstSend | null)[]) => void>();
    const messages = messagesWith((_sends) => new Promise((answer) => searched.resolve(answer)));
    const send = (clientId: string, made: number, after: string | null) =>
      messages.accept({ ...sendTo(green, 'alice', clientId, made), after });
    await messages.accept(sendTo(green, 'bob', 'first'));
    await hoursLater(redis, keys.partitionBase(0), keys.partitionSlot(0), [keys.conversation(0, green)]);

    // What history knows gets its first answer whatever it names; what it does not know is judged after the search.
    const sends = [
      send('known', 1, 'nothing'),
      send('unknown', 1, null),
      send('next', 0, 'unknown'),
      send('last', 0, 'next'),
      send('lost', 1, 'nothing'),
    ];
    const answers = Promise.allSettled(sends);
    (await searched.promise)([{ seq: 1, streamId: '7-0', at: 7, same: true }, null, null]);
    expect(
      (await answers).map((one) => (one.status === 'fulfilled' ? one.value.seq : (one.reason as Refusal).code)),
    ).toEqual([1, 2, 3, 4, 'out_of_order']);
  });

  test('other senders do not wait, the order of the sender is kept, and one search serves all', async () => {
    const searches: { sends: Send[]; answer: (found: (FirstSend | null)[]) => void }[] = [];
    const searched = Promise.withResolvers<void>();
    const messages = messagesWith(
      (sends) =>
        new Promise((answer) => {
          searches.push({ sends, answer });
          searched.resolve();
        }),
    );
    const send = (sender: string, clientId: string, made = 0) => messages.accept(sendTo(tea, sender, clientId, made));
    await send('bob', 'first');
    await hoursLater(redis, keys.partitionBase(0), keys.partitionSlot(0), [keys.conversation(0, tea)]);

    const alice = [
      send('alice', 'a1'),
      send('alice', 'old1', 1),
      send('alice', 'a2', Date.now()),
      send('alice', 'old2', 1),
      send('alice', 'old3', 1),
    ];
    await searched.promise;
    expect(searches.map(({ sends }) => sends.map(({ clientId }) => clientId))).toEqual([['old1', 'old2', 'old3']]);
    alice.push(send('alice', 'a3'));
    expect((await send('bob', 'b1')).seq).toBe(3);
    expect((await send('bob', 'b2')).seq).toBe(4);
    alice.push(send('alice', 'old4', 1));
    searches[0]!.answer([
      null,
      { seq: 1, streamId: '7-0', at: 7, same: true },
      { seq: 1, streamId: '7-0', at: 7, same: false },
    ]);
    await expect(alice[4]).rejects.toMatchObject({ code: 'conflict' });
    const answers = await Promise.all([alice[0], alice[1], alice[2], alice[3], alice[5]]);
    expect(answers.map((accepted) => [accepted!.seq, accepted!.duplicate])).toEqual([
      [2, false],
      [5, false],
      [6, false],
      [1, true],
      [7, false],
    ]);
    while (searches.length < 2) await send('bob', `b${searches.length}`).then(() => undefined);
    expect((await send('bob', 'b3')).duplicate).toBe(false);
    searches[1]!.answer([null]);
    expect((await alice[6]!).duplicate).toBe(false);
  });
});

describe('with history', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.stop());

  const uuid = (i: number): string => `00000001-0000-7000-8000-${i.toString(16).padStart(12, '0')}`;

  test('a user whose sends need too many searches is told to wait, and others of the group send on', async () => {
    const [mallory, bob] = [cluster.user('mallory'), cluster.user('bob')];
    const id = cluster.user('group');
    expect(
      (await cluster.http(cluster.token(mallory), 'POST', '/conversations', { id, members: [mallory, bob] })).status,
    ).toBe(201);
    const device = await cluster.connect(bob, { mode: 'pull' });
    await device.request(
      { type: 'send', clientId: uuid(1), conversation: id, kind: 'text', body: 'first' },
      'accepted',
    );
    await sendMany(device, { conversation: id }, 4000);
    await cluster.settled();
    const partition = cluster.keys.partitionOf(id);
    await hoursLater(cluster.redis, cluster.keys.partitionBase(partition), cluster.keys.partitionSlot(partition), [
      cluster.keys.conversation(partition, id),
    ]);

    const again = { type: 'send', clientId: uuid(1), conversation: id, kind: 'text' };
    expect(await device.request({ ...again, body: 'first' }, 'accepted')).toMatchObject({
      duplicate: true,
      message: { seq: 1 },
    });
    expect(await device.request({ ...again, body: 'other' }, 'error')).toMatchObject({ code: 'conflict' });

    let refusal: { status: number; headers: Headers; body: unknown } | null = null;
    for (let i = 2; refusal === null; i++) {
      const answer = await cluster.http(cluster.token(mallory), 'POST', '/messages', {
        conversation: id,
        clientId: uuid(i),
        kind: 'text',
        body: i,
      });
      if (answer.status === 429) refusal = answer;
      else expect(answer.status).toBe(201);
      await device.request(
        { type: 'send', clientId: `while-${i}`, conversation: id, kind: 'text', body: i },
        'accepted',
      );
    }
    expect(refusal.body).toMatchObject({ error: { code: 'rate_limited', retryable: true } });
    expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(0);
    // New clientIds need no search.
    const fresh = await cluster.http(cluster.token(mallory), 'POST', '/messages', {
      conversation: id,
      clientId: 'fresh',
      kind: 'text',
      body: 1,
    });
    expect(fresh.status).toBe(201);
  }, 60_000);
});
