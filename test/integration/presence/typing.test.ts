import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { sendTo } from '../../support/pair.ts';
import { monitorCommands } from '../../support/redis-monitor.ts';

/** Typing is passed on now and then, to members of now, and never stored. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, archive: false });
});
afterAll(() => cluster.stop());

const service = () => cluster.token('backend', { scope: 'service' });
let groups = 0;
async function group(...members: string[]): Promise<string> {
  const id = `typing-${++groups}`;
  expect((await cluster.http(service(), 'POST', '/conversations', { id, members })).status).toBe(201);
  return id;
}
const typed = (device: Welcomed, conversation: string) =>
  device.all('typing').filter((frame) => frame.conversation === conversation);
async function results(): Promise<Record<string, number>> {
  const texts = await Promise.all(['web-1', 'web-2'].map((name) => cluster.metrics(name)));
  const found: Record<string, number> = {};
  for (const [, result, count] of texts
    .join('\n')
    .matchAll(/^restante_typing_total\{[^}]*result="(\w+)"[^}]*\} (\d+)/gm))
    found[result!] = (found[result!] ?? 0) + Number(count);
  return found;
}

test('reaches the devices of the others, again after three seconds, and leaves no key', async () => {
  const [a, b] = [cluster.user('alice'), cluster.user('bob')];
  const alice = await cluster.connect(a);
  const own = await cluster.connect(a, { device: 'laptop', gateway: 2 });
  const bob = await cluster.connect(b, { gateway: 2 });
  await alice.request(sendTo(b, 'hello', 1), 'accepted');
  const conversation = directConversation(a, b);
  await cluster.settled('inbox');
  const writes: string[] = [];
  const monitor = await monitorCommands(cluster.redis, ({ text }) => {
    if (text.includes(cluster.prefix) && /^(h?set|hdel|del|xadd|zadd|sadd|expire|incr|hincrby)\b/i.test(text))
      writes.push(text);
  });
  const began = Date.now();
  for (let i = 0; i < 20; i++) {
    alice.send({ type: 'typing', conversation });
    await pause(began + (i + 1) * 300 - Date.now());
  }
  await alice.settle();
  await bob.settle();
  expect(typed(bob, conversation).length).toBeGreaterThanOrEqual(2);
  expect(typed(bob, conversation).length).toBeLessThanOrEqual(3);
  expect(typed(bob, conversation)[0]).toEqual({ type: 'typing', conversation, user: a });
  expect([typed(alice, conversation), typed(own, conversation)]).toEqual([[], []]);
  monitor.disconnect();
  // The receipt of the message above may be noted meanwhile.
  const concern = writes.filter((text) => text.includes(conversation) || text.includes('typing'));
  expect(concern.filter((text) => !text.includes(':receipts:'))).toEqual([]);
}, 20_000);

test('an end follows a beginning at once, and once', async () => {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob')),
  ]);
  const id = await group(alice.welcome.user, bob.welcome.user);
  alice.send({ type: 'typing', conversation: id, stop: true });
  alice.send({ type: 'typing', conversation: id });
  for (let i = 0; i < 3; i++) alice.send({ type: 'typing', conversation: id, stop: true });
  await bob.until('both', () => typed(bob, id).length === 2);
  await alice.settle();
  await bob.settle();
  expect(typed(bob, id).map(({ stop }) => stop)).toEqual([undefined, true]);
});

test('a removed member is not told, also right after the gateway asked', async () => {
  const [alice, bob, carol] = (await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => cluster.connect(cluster.user(name))),
  )) as [Welcomed, Welcomed, Welcomed];
  const id = await group(...[alice, bob, carol].map(({ welcome }) => welcome.user));
  alice.send({ type: 'typing', conversation: id });
  await carol.until('typing', () => typed(carol, id).length === 1);
  const path = `/conversations/${id}/members/${carol.welcome.user}`;
  expect((await cluster.http(service(), 'DELETE', path)).status).toBe(204);
  bob.send({ type: 'typing', conversation: id });
  await alice.until('typing', () => typed(alice, id).length === 1);
  await carol.settle();
  expect(typed(carol, id)).toHaveLength(1);
});

test('51 members are told nothing, and 50 are', async () => {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob')),
  ]);
  const crowd = Array.from({ length: 49 }, (_, i) => `crowd_${i}`);
  const members = [alice.welcome.user, bob.welcome.user, ...crowd];
  const [many, few] = [await group(...members), await group(...members.slice(0, -1))];
  const before = (await results())['many'] ?? 0;
  alice.send({ type: 'typing', conversation: many });
  await vi.waitFor(async () => expect((await results())['many']).toBe(before + 1));
  alice.send({ type: 'typing', conversation: few });
  await bob.until('typing', () => typed(bob, few).length === 1);
  expect(typed(bob, many)).toEqual([]);
});

test('a group that has had more than 1,000 members is not looked through', async () => {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob')),
  ]);
  const id = await group(alice.welcome.user, bob.welcome.user);
  const former = Array.from({ length: 1000 }, (_, i) => [`former_${i}`, '0-1'] as const);
  await cluster.redis.hset(cluster.keys.members(cluster.keys.partitionOf(id), id), new Map(former));
  const before = (await results())['many'] ?? 0;
  alice.send({ type: 'typing', conversation: id });
  await vi.waitFor(async () => expect((await results())['many']).toBe(before + 1));
  await bob.settle();
  expect(typed(bob, id)).toEqual([]);
});

test('who is no member is refused, and a device in mode pull is told nothing', async () => {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob')),
  ]);
  const pulling = await cluster.connect(bob.welcome.user, { device: 'laptop', mode: 'pull' });
  const id = await group(alice.welcome.user, bob.welcome.user);
  const stranger = await cluster.connect(cluster.user('stranger'));
  for (const conversation of [id, 'no-such-group', directConversation('x', 'y')])
    expect((await stranger.request({ type: 'typing', conversation }, 'error')).code).toBe('not_found');
  expect((await stranger.request({ type: 'typing' }, 'error')).code).toBe('bad_request');
  alice.send({ type: 'typing', conversation: id });
  await bob.until('typing', () => typed(bob, id).length === 1);
  await pulling.settle();
  expect(typed(pulling, id)).toEqual([]);
});

test('is dropped while messages of the partition wait', async () => {
  const [alice, bob] = await Promise.all([
    cluster.connect(cluster.user('alice')),
    cluster.connect(cluster.user('bob')),
  ]);
  const id = await group(alice.welcome.user, bob.welcome.user);
  await cluster.settled('inbox');
  cluster.pause('fanout-1');
  try {
    for (let i = 0; i < 501; i++)
      alice.send({ type: 'send', clientId: `wait-${i}`, conversation: id, kind: 'text', body: i });
    await alice.until('accepted', () => alice.all('accepted').length === 501);
    const before = (await results())['busy'] ?? 0;
    alice.send({ type: 'typing', conversation: id });
    await vi.waitFor(async () => expect((await results())['busy']).toBe(before + 1));
  } finally {
    cluster.resume('fanout-1');
  }
  await bob.settle();
  expect(typed(bob, id)).toEqual([]);
});
