import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { edit, groupOf, readAll, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';
import { patiently } from '../../support/patiently.ts';

/** No path gives a recalled body again because Redis came back empty or older. */

vi.setConfig({ testTimeout: 120_000 });

const processes = ['web-1', 'fanout-1', 'archive-1'];
let redis: DurableRedis;
let cluster: Cluster;
beforeEach(async () => {
  redis = await startDurableRedis();
  cluster = await startCluster({ redisUrl: redis.url });
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
