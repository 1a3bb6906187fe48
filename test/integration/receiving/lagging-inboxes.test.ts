import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startCluster as startLocalCluster } from '../../../tools/harness/local-cluster.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import type { Frame } from '../../support/frames.ts';
import { apiOf, refusal, textTo } from '../../support/http-client.ts';
import { nowSeconds } from '../../support/token.ts';

/** Sentences of the protocol that are seen from outside only when a part of the cluster lags or stops. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { INBOX_MAX_ENTRIES: '100', DRAIN_MS: '1500' } });
});
afterAll(() => cluster.stop());

function person(name: string) {
  const user = cluster.user(name);
  return { user, api: apiOf(cluster, cluster.token(user)) };
}

test('a group is the same again with the members that it has now', async () => {
  const [alice, bob, carol] = [person('alice'), person('bob'), person('carol')];
  const id = cluster.user('group');
  const create = (members: string[]) => alice.api('POST', '/conversations', { id, members });
  expect((await create([bob.user, carol.user])).status).toBe(201);
  expect((await carol.api('DELETE', `/conversations/${id}/members/${carol.user}`)).status).toBe(204);
  expect(await create([bob.user])).toMatchObject({ status: 200, body: { memberCount: 2 } });
  expect(refusal(await create([bob.user, carol.user]))).toEqual([409, 'conflict']);
});

describe('while the inboxes lag', () => {
  test('a conversation has its own numbers right, and so has a read after joining again', async () => {
    const [alice, bob] = [person('alice'), person('bob')];
    const { body: group } = await alice.api('POST', '/conversations', { members: [bob.user] });
    const path = `/conversations/${group['id']}`;
    const send = async ({ api }: typeof alice) => {
      expect((await api('POST', '/messages', textTo({ conversation: group['id'] }))).status).toBe(201);
    };
    const numbers = async ({ api }: typeof alice) => {
      const { lastSeq, readSeq, unread } = (await api('GET', path)).body;
      return [lastSeq, readSeq, unread];
    };
    await send(alice);
    await cluster.settled();
    cluster.pause('fanout');
    try {
      await send(alice);
      await send(bob);
      await send(alice);
      expect(await numbers(alice)).toEqual([4, 4, 0]);
      expect(await numbers(bob)).toEqual([4, 0, 4]);
      expect((await bob.api('DELETE', `${path}/members/${bob.user}`)).status).toBe(204);
      expect((await alice.api('PUT', `${path}/members/${bob.user}`)).status).toBe(204);
      expect(await numbers(bob)).toEqual([6, 5, 1]);
      expect((await bob.api('PUT', `${path}/read`, { seq: 2 })).body).toMatchObject({ seq: 5 });
    } finally {
      cluster.resume('fanout');
    }
    const listed = async () => (await bob.api('GET', '/conversations')).body['conversations'];
    await vi.waitFor(async () => expect(await listed()).toMatchObject([{ lastSeq: 6, readSeq: 5, unread: 1 }]), 15_000);
    expect(await numbers(bob)).toEqual([6, 5, 1]);
  });
});

test('a page holds an item, however many gaps come before it and however few items are asked for', async () => {
  const bob = person('bob');
  const senders = ['alice', 'carol', 'dave'].map(person);
  for (let i = 0; i < 50; i++)
    await Promise.all(senders.map(({ api }) => api('POST', '/messages', textTo({ to: bob.user }))));
  await cluster.settled('inbox');
  const { body } = await bob.api('GET', '/inbox?limit=1');
  expect(body['gaps']).toHaveLength(3);
  expect(body['items']).toHaveLength(1);
  expect(body['next']).toBe(body['items'][0].position);
});

describe('retention', () => {
  /** Puts the entries of an inbox back as if each had been accepted so many days ago. */
  async function age(user: string, daysOf: (position: number) => number): Promise<void> {
    const inbox = cluster.keys.inbox(user);
    const entries = await cluster.redis.xrange(inbox, '-', '+');
    await cluster.redis.del(inbox);
    for (const [entryId, [field, text]] of entries) {
      const at = Date.now() - daysOf(parseInt(entryId, 10)) * 86_400_000;
      await cluster.redis.xadd(inbox, entryId, field!, text!.replace(/"at":\d+/, `"at":${at}`));
    }
  }

  test('normal messages leave the inbox after 7 days, important ones after 30, each as a gap', async () => {
    const [alice, bob] = [person('alice'), person('bob')];
    for (let position = 1; position <= 8; position++) {
      const important = position === 2 || position === 5;
      await alice.api('POST', '/messages', { ...textTo({ to: bob.user }), class: important ? 'important' : 'normal' });
    }
    await cluster.settled('inbox');
    await age(bob.user, (position) => [40, 31, 20, 8, 20, 8, 6, 0][position - 1]!);

    const device = await cluster.connect(bob.user);
    await device.until('everything kept', () => device.items.length === 3);
    const told = device.frames.slice(1).map((frame) => {
      if (frame.type !== 'gap') return (frame as unknown as Frame<'deliver'>).items.map(({ position }) => position);
      const { position, fromSeq, toSeq } = frame;
      return { position, fromSeq, toSeq };
    });
    expect(told).toEqual([{ position: 4, fromSeq: 1, toSeq: 4 }, [5], { position: 6, fromSeq: 6, toSeq: 6 }, [7, 8]]);
    expect(device.welcome.unread.conversations).toMatchObject([{ unread: 8, lastSeq: 8, last: { seq: 8 } }]);
  });
});

test('a token that ends within a millisecond has a whole `expiresAt`', async () => {
  const exp = nowSeconds() + 60.1234567;
  const device = await openDevice(cluster.url());
  device.send({ type: 'hello', token: cluster.token(cluster.user('alice'), { exp }), device: 'phone' });
  expect((await device.find('welcome')).expiresAt).toBe(Math.floor(exp * 1000));
  await device.close();
});

test('a gateway that stops says so at /readyz until its sockets are gone', async () => {
  const device = await cluster.connect(cluster.user('alice'), { gateway: 2 });
  const ready = cluster.url(2).replace(/^ws/, 'http').replace('/v1/ws', '/readyz');
  expect((await fetch(ready)).status).toBe(200);
  const ending = cluster.end('web-2');
  await device.find('drain');
  const response = await fetch(ready);
  expect([response.status, await response.json()]).toEqual([503, { ready: false, reason: 'stopping' }]);
  expect(await device.closed).toMatchObject({ code: 1001 });
  await ending;
});

test('every process ends in good order while Redis is away', async () => {
  const own = await startLocalCluster();
  try {
    await own.kill('redis');
    const processes = own.names.filter((name) => name !== 'redis').map((name) => own.child(name));
    for (const child of processes)
      await vi.waitFor(async () => expect(await child.output()).toContain('redis_error'), 10_000);
    expect(await Promise.all(processes.map((child) => child.end('SIGTERM')))).toEqual(processes.map(() => 0));
    for (const child of processes) expect(await child.output()).toMatch(/"event":"stopped","outcome":"closed"/);
  } finally {
    await own.stop();
  }
});
