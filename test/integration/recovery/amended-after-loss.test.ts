import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { edit, groupOf, readAll, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';
import type { PushedItem } from '../../support/frames.ts';
import { patiently } from '../../support/patiently.ts';
import { sendMany } from '../../support/sending.ts';

/** No path gives a recalled body again because Redis came back empty or older. */

vi.setConfig({ testTimeout: 120_000 });

const processes = ['web-1', 'fanout-1', 'archive-1'];
let redis: DurableRedis;
let cluster: Cluster;
beforeEach(async () => {
  redis = await startDurableRedis();
  // So that messages wait for the fanout.
  cluster = await startCluster({ redisUrl: redis.url, env: { SHORT_WAY: '0' } });
  cluster.redis.on('error', () => undefined);
});
afterEach(async () => {
  await cluster.stop();
  await redis.stop();
});
const all = (what: (name: string) => Promise<void>): Promise<unknown> => Promise.all(processes.map(what));

/** Everything that bob gets after the loss: what is pushed, the summary, pages and lists. */
async function everythingFor(user: string, conversation: string): Promise<string> {
  const device = await patiently(cluster, user, { device: 'new' });
  await device.until('a gap or an item', () => device.gaps.length > 0 || device.pushed.length > 0);
  await device.request({ type: 'sync', after: 0 }, 'page');
  await readAll(device, { conversation });
  const token = cluster.token(user);
  const answers = await Promise.all(
    ['/inbox?after=0', '/conversations'].map((path) => cluster.http(token, 'GET', path)),
  );
  for (const { status } of answers) expect(status).toBe(200);
  await device.settle();
  return [...device.texts, JSON.stringify(answers.map(({ body }) => body))].join('\n');
}

test('after Redis came back as it was before a recall, in inboxes of members and of who had left', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const [bob, carol] = [cluster.user('bob'), cluster.user('carol')];
  const conversation = await groupOf(cluster, alice.welcome.user, bob, carol);
  const [one, two] = [
    await say(alice, { conversation }, 'word-recalled'),
    await say(alice, { conversation }, 'word-edited'),
  ];
  const service = cluster.token('backend', { scope: 'service' });
  await cluster.http(service, 'DELETE', `/conversations/${conversation}/members/${carol}`);
  await cluster.settled();
  await all((name) => cluster.end(name));
  const restore = await redis.copy();
  await all((name) => cluster.start(name));
  const again = await patiently(cluster, alice.welcome.user, { device: 'other' });
  await recall(again, { conversation }, one);
  await edit(again, { conversation }, two, 'in force');
  await cluster.settled();

  await redis.kill();
  await restore();
  await redis.start();
  const texts = await everythingFor(bob, conversation);
  expect(texts).not.toMatch(/word-/);
  expect(texts).toContain('in force');
  const former = await everythingFor(carol, conversation);
  expect(former).not.toMatch(/word-|in force/);
  expect(former).toContain('withheld');
});

test('after Redis came back empty', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = cluster.user('bob');
  const seq = await say(alice, { to: bob }, 'word-recalled');
  const { conversation } = await recall(alice, { to: bob }, seq);
  await cluster.settled();
  await cluster.wipe();
  const texts = await everythingFor(bob, conversation);
  expect(texts).not.toMatch(/word-/);
  expect(texts).toContain('"action":"recall"');
});

describe('a recall that came back in the stream alone', () => {
  const workers = ['fanout-1', 'archive-1'];
  const ended = () => Promise.all(workers.map((name) => cluster.end(name)));

  /** Bob's inbox gets the recall after the copy was made, and then Redis comes back as it was at the copy. */
  async function afterLoss(restore: () => Promise<void>, bob: string): Promise<void> {
    await cluster.start('fanout-1');
    // Whoever connects in the middle of it gets the first page, without the recall.
    await cluster.settled('inbox');
    const witness = await cluster.connect(bob, { device: 'witness' });
    await witness.until('the recall', () => witness.texts.some((text) => text.includes('"action":"recall"')));
    await cluster.end('fanout-1');
    await redis.kill();
    await restore();
    await redis.start();
  }

  test('of a message that the inbox had already', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const bob = cluster.user('bob');
    const seq = await say(alice, { to: bob }, 'word-recalled');
    await cluster.settled();
    await ended();
    const { conversation } = await recall(alice, { to: bob }, seq);
    await afterLoss(await redis.copy(), bob);
    // Nobody appends it yet.
    expect(await everythingFor(bob, conversation)).not.toMatch(/word-/);
    await Promise.all(workers.map((name) => cluster.start(name)));
    await cluster.settled();
    const texts = await everythingFor(bob, conversation);
    expect(texts).not.toMatch(/word-/);
    expect(texts).toContain('"action":"recall"');
  });

  test('of a message in a conversation that history does not know either', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const bob = cluster.user('bob');
    await cluster.end('archive-1');
    const reader = await cluster.connect(bob, { device: 'reader' });
    const seq = await say(alice, { to: bob }, 'word-recalled');
    await reader.until('the message', () => reader.pushed.length > 0);
    await cluster.end('fanout-1');
    const { conversation } = await recall(alice, { to: bob }, seq);
    await afterLoss(await redis.copy(), bob);
    expect(await everythingFor(bob, conversation)).not.toMatch(/word-/);
  });

  test('of a message that comes back with it, behind many others', async () => {
    const alice = await cluster.connect(cluster.user('alice'));
    const bob = cluster.user('bob');
    await ended();
    const seq = await say(alice, { to: bob }, 'word-recalled');
    const two = await say(alice, { to: bob }, 'word-edited');
    await edit(alice, { to: bob }, two, 'word-edited again');
    await sendMany(alice, { to: bob }, 700);
    await edit(alice, { to: bob }, two, 'in force');
    const { conversation } = await recall(alice, { to: bob }, seq);
    await afterLoss(await redis.copy(), bob);
    const device = await patiently(cluster, bob, { device: 'waiting' });
    await Promise.all(workers.map((name) => cluster.start(name)));
    await cluster.settled();
    await device.settle();
    expect(device.texts.join('\n')).not.toMatch(/word-/);
    const texts = await everythingFor(bob, conversation);
    expect(texts).not.toMatch(/word-/);
    expect(texts).toContain('"action":"recall"');
    expect(texts).toContain('in force');
    // Later amendments go the usual way.
    const again = await patiently(cluster, alice.welcome.user, { device: 'later' });
    const { head } = await device.settle();
    await recall(again, { to: bob }, await say(again, { to: bob }, 'later'));
    await cluster.settled();
    const { body } = await cluster.http(cluster.token(bob), 'GET', `/inbox?after=${head}`);
    expect((body as { items: PushedItem[] }).items.map(({ message }) => message.kind)).toEqual([
      'text',
      'restante.amend',
    ]);
  });
});
