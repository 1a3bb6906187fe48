import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import { seqsOf } from '../../support/inbox.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { FANOUT_MAX_MEMBERS: '3' } });
});
afterAll(() => cluster.stop());

async function create(id: string, members: string[]): Promise<void> {
  const { status } = await cluster.http(cluster.token(members[0]!), 'POST', '/conversations', { id, members });
  expect(status).toBe(201);
}

async function change(method: 'PUT' | 'DELETE', by: string, conversation: string, user: string): Promise<void> {
  const { status } = await cluster.http(cluster.token(by), method, `/conversations/${conversation}/members/${user}`);
  expect(status).toBe(204);
}

let sends = 0;
async function send(device: Device, conversation: string, body: unknown): Promise<number> {
  const { message } = await device.request(
    { type: 'send', clientId: `c-${++sends}`, conversation, kind: 'text', body },
    'accepted',
  );
  return message.seq;
}

const itemsOf = (device: Device, conversation: string) =>
  device.pushed.filter(({ message }) => message.conversation === conversation);
const entriesIn = (user: string): Promise<number> => cluster.redis.xlen(cluster.keys.inbox(user));

/** A group of five, two of them connected to different gateways. */
async function largeGroup(): Promise<{ id: string; users: string[]; alice: Welcomed; bob: Welcomed }> {
  const users = ['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => cluster.user(name));
  const id = cluster.user('large');
  await create(id, users);
  await cluster.settled('inbox');
  const [alice, bob] = await Promise.all([cluster.connect(users[0]!), cluster.connect(users[1]!, { gateway: 2 })]);
  return { id, users, alice, bob };
}

describe('a group above FANOUT_MAX_MEMBERS', () => {
  test('is announced as a feature, and its live messages have no position and leave nothing in an inbox', async () => {
    const { id, users, alice, bob } = await largeGroup();
    expect(alice.welcome.features).toContain('large-groups');
    for (let i = 1; i <= 5; i++) expect(await send(alice, id, i)).toBe(i);
    await bob.until('five messages', () => seqsOf(bob, id).length === 5);
    expect(itemsOf(bob, id).map(({ position, message }) => [position, message.seq, message.body])).toEqual(
      [1, 2, 3, 4, 5].map((seq) => [undefined, seq, seq]),
    );
    expect(itemsOf(alice, id)).toEqual([]);
    for (const user of users) expect(await entriesIn(user)).toBe(0);
    expect((await bob.settle()).head).toBe(0);
  });

  test('what a device missed comes as a gap that takes its position when it is read, once', async () => {
    const { id, users, alice } = await largeGroup();
    for (let i = 1; i <= 3; i++) await send(alice, id, i);
    await cluster.settled('inbox');
    const carol = await cluster.connect(users[2]!);
    expect(carol.welcome).toMatchObject({
      position: 0,
      head: 1,
      unread: { total: 3, conversations: [{ conversation: id, unread: 3, readSeq: 0, lastSeq: 3, last: { body: 3 } }] },
    });
    expect(await carol.find('gap')).toMatchObject({ position: 1, conversation: id, fromSeq: 1, toSeq: 3 });
    const { messages } = await carol.request({ type: 'history', conversation: id, after: 0 }, 'history');
    expect(messages.map(({ body }) => body)).toEqual([1, 2, 3]);
    carol.received(1);
    await send(alice, id, 4);
    await carol.until('a live message', () => seqsOf(carol, id).length === 1);
    await carol.close();
    const again = await cluster.connect(users[2]!);
    expect(await again.find('gap')).toMatchObject({ position: 2, conversation: id, fromSeq: 4, toSeq: 4 });
    again.received(2);
    await again.close();
    const third = await cluster.connect(users[2]!);
    expect(third.welcome).toMatchObject({ position: 2, head: 2 });
    await third.settle();
    expect(third.gaps).toEqual([]);
  });

  test('sync and GET /inbox announce it, pull and lazy are told as they ask', async () => {
    const { id, users, alice } = await largeGroup();
    await send(alice, id, 1);
    await cluster.settled('inbox');
    const pull = await cluster.connect(users[2]!, { mode: 'pull' });
    expect(await pull.request({ type: 'sync', after: 0 }, 'page')).toMatchObject({
      items: [],
      gaps: [{ position: 1, conversation: id, fromSeq: 1, toSeq: 1 }],
      next: 1,
      more: false,
    });
    await send(alice, id, 2);
    expect((await pull.request({ type: 'sync', after: 1 }, 'page')).gaps).toMatchObject([
      { position: 2, fromSeq: 2, toSeq: 2 },
    ]);
    expect((await pull.request({ type: 'sync', after: 2 }, 'page')).gaps).toEqual([]);
    expect(pull.pushed).toEqual([]);

    const { body } = await cluster.http(cluster.token(users[3]!), 'GET', '/inbox');
    expect(body).toMatchObject({ items: [], gaps: [{ position: 1, conversation: id, fromSeq: 1, toSeq: 2 }], next: 1 });

    const lazy = await cluster.connect(users[4]!, { mode: 'lazy' });
    expect(lazy.welcome).toMatchObject({ position: 0, head: 1, unread: { total: 2 } });
    await send(alice, id, 3);
    await lazy.until('a live message', () => seqsOf(lazy, id).length === 1);
    expect(lazy.gaps).toEqual([]);
    const page = await lazy.request({ type: 'sync', after: 0 }, 'page');
    expect(page.gaps).toMatchObject([
      { position: 1, fromSeq: 1, toSeq: 2 },
      { position: 2, fromSeq: 3, toSeq: 3 },
    ]);
  });

  test('sending reads, also if the fanout gets the join and the send together', async () => {
    const { id, users } = await largeGroup();
    const frank = await cluster.connect(cluster.user('frank'));
    await cluster.end('fanout');
    await change('PUT', users[0]!, id, frank.welcome.user);
    const seq = await send(frank, id, 'hello');
    await cluster.start('fanout');
    await cluster.settled('inbox');
    const { body } = await cluster.http(cluster.token(frank.welcome.user), 'GET', '/conversations');
    expect(body).toMatchObject({ conversations: [{ id, lastSeq: seq, readSeq: seq, unread: 0 }] });
  });

  test('unread is the last seq less the read one, and sending reads', async () => {
    const { id, users, alice, bob } = await largeGroup();
    for (let i = 1; i <= 4; i++) await send(alice, id, i);
    expect(await bob.request({ type: 'read', conversation: id, seq: 3 }, 'read')).toMatchObject({ seq: 3 });
    await bob.until('four messages', () => seqsOf(bob, id).length === 4);
    const unreadOf = async (user: string) => {
      const { body } = await cluster.http(cluster.token(user), 'GET', '/conversations');
      const one = (
        body as {
          conversations: { id: string; unread: number; readSeq: number; lastSeq: number; last: { body: unknown } }[];
        }
      ).conversations.find((found) => found.id === id)!;
      return [one.lastSeq, one.readSeq, one.unread, one.last.body];
    };
    expect(await unreadOf(users[1]!)).toEqual([4, 3, 1, 4]);
    expect(await unreadOf(users[2]!)).toEqual([4, 0, 4, 4]);
    expect(await unreadOf(users[0]!)).toEqual([4, 4, 0, 4]);
    const members = await cluster.http(cluster.token(users[1]!), 'GET', `/conversations/${id}/members?limit=2`);
    expect(members.body).toMatchObject({
      members: users
        .toSorted()
        .slice(0, 2)
        .map((user) => ({ user, joinedSeq: 0 })),
    });
  });
});

describe('members of a large group', () => {
  test('a new member gets everything from its join on, a former one nothing after its leave', async () => {
    const { id, users, alice, bob } = await largeGroup();
    const frank = cluster.user('frank');
    const joining = await cluster.connect(frank, { gateway: 2 });
    await send(alice, id, 1);
    await change('PUT', users[0]!, id, frank);
    await joining.until('its own join', () => seqsOf(joining, id).includes(2));
    expect(itemsOf(joining, id)[0]).toMatchObject({
      position: 1,
      message: { seq: 2, kind: 'restante.membership', body: { user: frank, action: 'joined' } },
    });
    joining.received(1);
    await cluster.settled('inbox');
    await joining.settle();
    await send(alice, id, 3);
    await bob.until('all three', () => seqsOf(bob, id).length === 3);
    expect(itemsOf(bob, id).map(({ position }) => position)).toEqual([undefined, undefined, undefined]);
    await joining.until(
      'the next message, live or announced',
      () => seqsOf(joining, id).includes(3) || joining.gaps.some(({ toSeq }) => toSeq === 3),
    );

    await change('DELETE', users[0]!, id, frank);
    await send(alice, id, 5);
    await joining.until('its own leave', () => seqsOf(joining, id).includes(4));
    await bob.until('the last message', () => seqsOf(bob, id).includes(5));
    await joining.settle();
    expect(seqsOf(joining, id).filter((seq) => seq > 4)).toEqual([]);
    expect(joining.gaps.filter(({ toSeq }) => toSeq > 4)).toEqual([]);
    await joining.close();
    const later = await cluster.connect(frank);
    await later.settle();
    expect(later.welcome.unread.total).toBe(0);
    expect(later.gaps.filter(({ toSeq }) => toSeq > 4)).toEqual([]);
  });
});
