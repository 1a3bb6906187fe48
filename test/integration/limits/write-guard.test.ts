import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createKeys, type Keys } from '../../../shared/redis/keys.ts';
import {
  type Cluster as LocalCluster,
  startCluster as startLocalCluster,
} from '../../../tools/harness/local-cluster.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { type Api, apiOf, refusal, type Reply, textTo } from '../../support/http-client.ts';

/**
 * Every way in which a client has something written into a message stream. `group` has alice and bob, and alice wrote
 * its first message.
 */
const everyWrite = (alice: Api, service: Api, group: string, user: string): Record<string, () => Promise<Reply>> => ({
  'a send': () => alice('POST', '/messages', textTo({ conversation: group })),
  'a first send': () => alice('POST', '/messages', textTo({ to: user })),
  'an edit': () => alice('POST', `/conversations/${group}/messages/1/amend`, { action: 'edit', body: user }),
  'a group': () => alice('POST', '/conversations', { id: `of-${user}`, members: [] }),
  'a group of a back end': () => service('POST', '/conversations', { id: `for-${user}`, members: [user] }),
  'a name': () => alice('PATCH', `/conversations/${group}`, { name: user }),
  days: () => service('PATCH', `/conversations/${group}`, { historyDays: 40 + user.length }),
  'a join': () => alice('PUT', `/conversations/${group}/members/${user}`),
  'a setting': () => service('PATCH', `/settings?user=${user}`, { presence: 'nobody' }),
  'a leave': () => alice('DELETE', `/conversations/${group}/members/bob`),
});

async function outcomes(writes: Record<string, () => Promise<Reply>>): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const [name, write] of Object.entries(writes)) {
    const reply = await write();
    found[name] = reply.status < 400 ? reply.status : refusal(reply);
  }
  return found;
}

const taken = {
  'a send': 201,
  'a first send': 201,
  'an edit': 200,
  'a group': 201,
  'a group of a back end': 201,
  'a name': 200,
  days: 200,
  'a join': 204,
  'a setting': 200,
  'a leave': 204,
};
const refused = Object.fromEntries(Object.keys(taken).map((name) => [name, [503, 'retry_later']]));

async function streamEnds(redis: Redis, keys: Keys): Promise<string[]> {
  const ends: string[] = [];
  for (let partition = 0; partition < keys.partitions; partition++) {
    const info = (await redis.xinfo('STREAM', keys.messages(partition))) as unknown[];
    ends.push(String(info[info.indexOf('last-generated-id') + 1]));
  }
  return ends;
}

describe('where too much is not settled yet', () => {
  let cluster: Cluster;
  let alice: Api;
  let service: Api;
  beforeAll(async () => {
    cluster = await startCluster({
      fanout: false,
      archive: false,
      env: { BACKLOG_MAX_ENTRIES: '100', PARTITIONS: '1' },
    });
    alice = apiOf(cluster, cluster.token('alice'));
    service = apiOf(cluster, cluster.token('backend', { scope: 'service' }));
  });
  afterAll(() => cluster.stop());

  test('no write is taken, and what writes nothing is answered', async () => {
    expect((await alice('POST', '/conversations', { id: 'tea', members: ['bob'] })).status).toBe(201);
    expect((await alice('POST', '/messages', textTo({ conversation: 'tea' }))).status).toBe(201);
    let names = 0;
    for (let i = 0; i < 150; i++)
      if ((await alice('PATCH', '/conversations/tea', { name: `n${i}` })).status === 200) names += 1;
    expect(names).toBe(98);
    const ends = await streamEnds(cluster.redis, cluster.keys);

    expect(await outcomes(everyWrite(alice, service, 'tea', 'carol'))).toEqual(refused);
    expect((await alice('POST', '/conversations', { id: 'tea', members: ['bob'] })).status).toBe(200);
    expect((await alice('PATCH', '/conversations/tea', { name: 'n97' })).status).toBe(200);
    expect((await alice('PUT', '/conversations/tea/members/bob')).status).toBe(204);
    expect(await streamEnds(cluster.redis, cluster.keys)).toEqual(ends);

    await Promise.all([cluster.start('fanout'), cluster.start('archive')]);
    await cluster.settled();
    expect(await outcomes(everyWrite(alice, service, 'tea', 'carol'))).toEqual(taken);
  });
});

describe('with a Redis of its own', () => {
  let cluster: LocalCluster;
  let redis: Redis;
  let alice: Api;
  let service: Api;
  const keys = createKeys('rst', 4, 64);
  beforeAll(async () => {
    cluster = await startLocalCluster({ env: { SEND_RATE_PER_USER: '0' } });
    redis = new Redis(cluster.redisUrl);
    redis.on('error', () => undefined);
    alice = apiOf({ url: () => `${cluster.url}/v1/ws` }, await cluster.token('alice'));
    service = apiOf({ url: () => `${cluster.url}/v1/ws` }, await cluster.token('backend', { service: true }));
    await alice('POST', '/conversations', { id: 'tea', members: ['bob'] });
    await alice('POST', '/messages', textTo({ conversation: 'tea' }));
  });
  afterAll(async () => {
    redis.disconnect();
    await cluster.stop();
  });

  test('nothing is written while Redis is too full, and what was accepted can be received and read', async () => {
    await vi.waitFor(
      async () => {
        // Anew each time: after a start Redis gives memory back for some seconds.
        const used = Number(/^used_memory:(\d+)/m.exec(await redis.info('memory'))![1]);
        await redis.config('SET', 'maxmemory', Math.round(used * 1.06));
        expect(refusal(await alice('POST', '/messages', textTo({ conversation: 'tea' })))).toEqual([
          503,
          'retry_later',
        ]);
      },
      { timeout: 15_000, interval: 500 },
    );
    const ends = await streamEnds(redis, keys);
    expect(await outcomes(everyWrite(alice, service, 'tea', 'dora'))).toEqual(refused);
    expect(await streamEnds(redis, keys)).toEqual(ends);

    const bob = await openDevice(`${cluster.url}/v1/ws`);
    bob.send({ type: 'hello', token: await cluster.token('bob'), device: 'phone' });
    const [item] = await bob.until('the message', () => (bob.items.length > 0 ? bob.items : undefined));
    bob.received(item!.position);
    bob.send({ type: 'read', conversation: 'tea', seq: 1, id: 'r' });
    expect(await bob.find('read')).toMatchObject({ seq: 1 });
    bob.socket.terminate();

    await redis.config('SET', 'maxmemory', 0);
    await vi.waitFor(
      async () => expect((await alice('POST', '/messages', textTo({ conversation: 'tea' }))).status).toBe(201),
      10_000,
    );
    expect(await outcomes(everyWrite(alice, service, 'tea', 'dora'))).toEqual(taken);
  });

  test('nothing is written into a Redis older than history: the loss is seen, no seq is given twice', async () => {
    await service('PUT', '/conversations/tea/members/bob');
    const { body: before } = await service('GET', '/conversations/tea');
    const partition = keys.partitionOf('tea');
    await vi.waitFor(
      async () =>
        expect(await redis.hget(keys.partitionSlot(partition), 'settled:history')).toBe(
          await redis.hget(keys.partitionSlot(partition), 'appended'),
        ),
      10_000,
    );

    // Nobody gets to compare: the lock is taken, and that is in the file that Redis reads when it comes back.
    const hold = (): Promise<unknown> => redis.set(keys.deploymentLock, 'somebody', 'PX', 5000).catch(() => undefined);
    await hold();
    const holding = setInterval(() => void hold(), 500);
    await cluster.kill('redis');
    await cluster.start('redis');
    await vi.waitFor(async () => expect(await redis.ping()).toBe('PONG'), 10_000);
    await redis.del(keys.messages(partition), keys.conversation(partition, 'tea'), keys.members(partition, 'tea'));

    await vi.waitFor(
      async () =>
        expect(refusal(await alice('POST', '/messages', textTo({ to: 'emil' })))).toEqual([503, 'retry_later']),
      10_000,
    );
    expect(await outcomes(everyWrite(alice, service, 'tea', 'emil'))).toEqual(refused);
    // Empty, where a job has made the missing groups again.
    expect(await redis.xrange(keys.messages(partition), '-', '+')).toEqual([]);

    clearInterval(holding);
    await redis.del(keys.deploymentLock);
    await vi.waitFor(
      async () => expect((await alice('PUT', '/conversations/tea/members/emil')).status).toBe(204),
      10_000,
    );
    const { body: after } = await service('GET', '/conversations/tea');
    expect(after['lastSeq']).toBeGreaterThan(before['lastSeq'] + 1_000_000);
    // One of the processes has compared, for all of them.
    const logs = await Promise.all(
      cluster.names.filter((name) => name !== 'redis').map((name) => cluster.child(name).output()),
    );
    expect(logs.join('').split('"state_lost"').length - 1).toBe(1);
  });
});
