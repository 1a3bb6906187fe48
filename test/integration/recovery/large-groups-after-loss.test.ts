import { afterEach, beforeEach, expect, test } from 'vitest';
import { createDeadLetters } from '../../../shared/redis/dead-letters.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import type { Frame } from '../../support/frames.ts';
import { patiently, sendPatiently } from '../../support/patiently.ts';

/** Large groups when Redis loses its state, and when an entry cannot be handled: nobody is left in silence. */

const members = ['alice', 'bob', 'carol', 'dave', 'erin'];
const group = 'square';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster({ gateways: 2, env: { FANOUT_MAX_MEMBERS: '3' } });
});
afterEach(() => cluster.stop());

async function create(users = members): Promise<void> {
  expect(
    (await cluster.http(cluster.token(users[0]!), 'POST', '/conversations', { id: group, members: users })).status,
  ).toBe(201);
}

async function change(method: 'PUT' | 'DELETE', user: string): Promise<void> {
  expect((await cluster.http(cluster.token('alice'), method, `/conversations/${group}/members/${user}`)).status).toBe(
    204,
  );
}

const send = async (device: Device, clientId: string): Promise<Frame<'accepted'>['message']> =>
  (await sendPatiently(device, clientId, { conversation: group }, { unknownOutcome: true })).message;

const largesOf = async (user: string): Promise<string> =>
  ((await cluster.redis.hget(cluster.keys.user(user), 'larges')) ?? '').trim();
const gets = (device: Device, seq: number): Promise<unknown> =>
  device.until(`the live message ${seq}`, () =>
    device.pushed.find(({ message }) => message.conversation === group && message.seq === seq),
  );
/** Confirms what comes on the way there: a page that is not the last one waits for that. */
async function hears(device: Device, seq: number): Promise<void> {
  let confirmed = 0;
  await device.until(`message ${seq} or its gap`, () => {
    const position = Math.max(
      0,
      ...device.pushed.map((item) => item.position ?? 0),
      ...device.gaps.map((gap) => gap.position),
    );
    if (position > confirmed) device.received((confirmed = position));
    return (
      device.pushed.some(({ message }) => message.conversation === group && message.seq === seq) ||
      device.gaps.some((gap) => gap.conversation === group && gap.fromSeq <= seq && seq <= gap.toSeq)
    );
  });
}

test('after a loss every member hears again that the group is large, also before the fanout runs', async () => {
  await create();
  const alice = await cluster.connect('alice');
  for (let i = 0; i < 3; i++) await send(alice, `before-${i}`);
  await cluster.settled();
  await cluster.end('fanout');
  await cluster.wipe();
  await alice.closed;

  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch });
  const grown = await send(again, 'grown');
  const large = await send(again, 'large');
  await cluster.settled('history');
  // The history knows more than the inbox that is made from it will get.
  const bob = await patiently(cluster, 'bob', { gateway: 2 });
  await hears(bob, grown.seq);
  await cluster.start('fanout');
  await cluster.settled();
  for (const user of members) expect([user, await largesOf(user)]).toEqual([user, group]);
  const next = await send(again, 'next');
  expect([grown.seq + 1, grown.seq + 2]).toEqual([large.seq, next.seq]);
  await hears(bob, next.seq);
  const last = await send(again, 'last');
  await gets(bob, last.seq);
  const carol = await patiently(cluster, 'carol');
  await hears(carol, 1);
  await hears(carol, last.seq);
  expect(carol.welcome.unread).toMatchObject({ conversations: [{ conversation: group, lastSeq: last.seq }] });
}, 60_000);

/** This user's inbox takes no entry any more: what is to go there is poison. */
async function spoil(user: string): Promise<void> {
  await cluster.redis.rename(cluster.keys.inbox(user), `${cluster.prefix}:aside`).catch(() => undefined);
  await cluster.redis.set(cluster.keys.inbox(user), 'not a stream');
}
async function mend(user: string): Promise<void> {
  await cluster.redis.del(cluster.keys.inbox(user));
  await cluster.redis.rename(`${cluster.prefix}:aside`, cluster.keys.inbox(user)).catch(() => undefined);
}
const letters = async (): Promise<string[]> =>
  (await createDeadLetters(cluster.redis, cluster.keys).list({ limit: 10 })).deadLetters.map(
    ({ reason, subject }) => `${reason} ${String(subject.seq)}`,
  );

/** A change of members that is poison to bob, who is away. */
async function poisoned(method: 'PUT' | 'DELETE', user: string): Promise<void> {
  await spoil('bob');
  await change(method, user);
  await cluster.settled();
  await mend('bob');
}

test('a join whose entry is poison, after a leave, still makes a member who gets messages', async () => {
  await create();
  const alice = await cluster.connect('alice');
  await send(alice, 'one');
  await change('DELETE', 'bob');
  await cluster.settled();
  await poisoned('PUT', 'bob');
  expect(await letters()).toEqual(['poison 3']);
  const bob = await cluster.connect('bob', { gateway: 2 });
  await hears(bob, 3);
  const next = await send(alice, 'next');
  await hears(bob, next.seq);
  const last = await send(alice, 'last');
  await gets(bob, last.seq);
  const { body } = await cluster.http(cluster.token('bob'), 'GET', '/conversations');
  expect(body).toMatchObject({ conversations: [{ id: group, lastSeq: last.seq, unread: last.seq - 2 }] });
}, 60_000);

test('a leave whose entry is poison still ends the membership', async () => {
  await create();
  const alice = await cluster.connect('alice');
  await poisoned('DELETE', 'bob');
  expect(await letters()).toEqual(['poison 1']);
  await send(alice, 'after');
  await cluster.settled();
  const bob = await cluster.connect('bob', { gateway: 2 });
  await bob.settle();
  expect(bob.pushed).toEqual([]);
  expect(bob.gaps).toMatchObject([{ conversation: group, fromSeq: 1, toSeq: 1 }]);
  expect((await cluster.http(cluster.token('bob'), 'GET', '/conversations')).body).toEqual({ conversations: [] });
}, 60_000);

test('a poison entry that makes a group large, or small, is still announced to every member', async () => {
  await create(members.slice(0, 3));
  const [alice, carol] = [await cluster.connect('alice'), await cluster.connect('carol')];
  await poisoned('PUT', 'dave');
  expect(await letters()).toEqual(['poison 1']);
  for (const user of members.slice(0, 4)) expect([user, await largesOf(user)]).toEqual([user, group]);
  const bob = await cluster.connect('bob', { gateway: 2 });
  const large = await send(alice, 'large');
  await Promise.all([hears(bob, large.seq), hears(carol, large.seq)]);
  await gets(bob, (await send(alice, 'live')).seq);
  await bob.close();
  await poisoned('DELETE', 'dave');
  for (const user of members.slice(0, 4)) expect([user, await largesOf(user)]).toEqual([user, '']);
  const again = await cluster.connect('bob', { gateway: 2 });
  const small = await send(alice, 'small');
  await Promise.all([hears(again, 4), hears(carol, 4), gets(again, small.seq), gets(carol, small.seq)]);
}, 60_000);
