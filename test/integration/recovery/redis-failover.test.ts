import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { type Pair, startPair } from '../../support/failover.ts';
import { sendPatiently } from '../../support/patiently.ts';
import { numbers } from '../../support/sending.ts';

/** A primary and its replica change places, and every connection stays open at the node that it was made to. */

const queues = ['compaction', 'delivery', 'dead-letter'];
const processes = ['web-1', 'fanout-1', 'archive-1', 'jobs-1'];

let pair: Pair;
let cluster: Cluster;
let alice: Welcomed;
let bob: Welcomed;
beforeEach(async () => {
  pair = await startPair();
  cluster = await startCluster({ redisUrl: pair.url, jobs: true });
  alice = await cluster.connect(cluster.user('alice'));
  bob = await cluster.connect(cluster.user('bob'));
}, 60_000);
afterEach(async () => {
  await cluster?.stop();
  await pair?.stop();
});

/** Tries again every 10 ms: how soon it is accepted is measured. */
const sent = (clientId: string) =>
  sendPatiently(alice, clientId, { to: bob.welcome.user }, { betweenMs: 10, unknownOutcome: true });

/** Resolves once bob has it, and says so. */
async function cameTo(clientId: string): Promise<void> {
  await bob.until(`${clientId} at bob`, () => bob.bodies.includes(clientId));
  bob.received(bob.items.at(-1)!.position);
}
const statuses = () => Promise.all(processes.map(cluster.readyz));
async function connectionsAt(node: Pair['primary']): Promise<string[]> {
  const text = (await node.redis.call('CLIENT', 'LIST')) as string;
  // The test's own speak another version of the protocol, and there is the link between the two.
  return text
    .trim()
    .split('\n')
    .filter((line) => !/ resp=3\b| flags=[^ ]*[SM]/.test(line));
}

/** How often the canary job of a queue was done. */
const canariesOf = async (queue: string): Promise<number> =>
  Number(await pair.primary.redis.get(cluster.keys.canary(queue)));

test('three times: sends, deliveries, history and jobs go on within 2 s, nothing is lost or repeated', async () => {
  const times: { accepted: number; delivered: number }[] = [];
  let count = 0;
  for (let round = 1; round <= 3; round++) {
    for (let i = 0; i < 20; i++) await sent(`m-${++count}`);
    await cameTo(`m-${count}`);
    await pair.failOver();
    const canaries = await Promise.all(queues.map(canariesOf));
    const began = performance.now();
    await sent(`m-${++count}`);
    const accepted = performance.now() - began;
    await cameTo(`m-${count}`);
    times.push({ accepted: Math.round(accepted), delivered: Math.round(performance.now() - began) });
    // Nobody has stayed behind: not a subscriber, not a reader, not a queue.
    await vi.waitFor(async () => expect(await connectionsAt(pair.replica)).toEqual([]), {
      timeout: 3000,
      interval: 20,
    });
    // Every queue does jobs again: its canary comes every five seconds.
    await Promise.all(
      queues.map((queue, i) =>
        vi.waitFor(async () => expect(await canariesOf(queue)).toBeGreaterThan(canaries[i]!), {
          timeout: 8000,
          interval: 20,
        }),
      ),
    );
  }
  for (const { accepted, delivered } of times) {
    expect(accepted).toBeLessThan(2000);
    expect(delivered).toBeLessThan(2500);
  }
  expect(bob.items.map(({ message }) => message.seq)).toEqual(numbers(1, count));
  expect(bob.bodies).toEqual(numbers(1, count).map((i) => `m-${i}`));
  await alice.settle();
  expect(await statuses()).toEqual([200, 200, 200, 200]);
  for (const name of processes) {
    const lines = await cluster.log(name);
    expect(lines.map(({ event }) => event)).toContain('redis_primary_lost');
    expect(lines.filter(({ event }) => event === 'state_lost' || event === 'fault')).toEqual([]);
  }
  // All of it is archived: settled at the new primary.
  await vi.waitFor(
    async () => {
      const slots = await Promise.all(
        [0, 1, 2, 3].map((partition) =>
          pair.primary.redis.hmget(
            cluster.keys.partitionSlot(partition),
            'appended',
            'settled:history',
            'settled:inbox',
          ),
        ),
      );
      for (const [appended, history, inbox] of slots.map((slot) => slot.map(Number)))
        expect([history, inbox]).toEqual([appended, appended]);
    },
    { timeout: 10_000, interval: 50 },
  );
}, 90_000);

test('without a primary for 7 s every process is not ready, and all go on with the next one', async () => {
  await sent('before');
  await cameTo('before');
  await pair.inStep();
  await pair.demote();
  await vi.waitFor(async () => expect(await statuses()).toEqual([503, 503, 503, 503]), {
    timeout: 9000,
    interval: 100,
  });
  alice.send({ type: 'send', clientId: 'meanwhile', to: bob.welcome.user, kind: 'text', body: 'meanwhile' });
  expect(await alice.find('error', ({ clientId }) => clientId === 'meanwhile')).toMatchObject({
    code: 'retry_later',
    retryable: true,
  });
  await pair.promote();
  const began = performance.now();
  await sent('after');
  expect(performance.now() - began).toBeLessThan(2000);
  await cameTo('after');
  await vi.waitFor(async () => expect(await statuses()).toEqual([200, 200, 200, 200]), { timeout: 3000, interval: 50 });
  expect(bob.bodies).toEqual(['before', 'after']);
}, 60_000);

test('a primary that hangs is left: all go on at the one that has taken its place, and nothing is lost', async () => {
  await sent('before');
  await cameTo('before');
  await pair.inStep();
  const old = pair.primary;
  await old.redis.call('CLIENT', 'PAUSE', '30000', 'ALL');
  await pair.promote();
  const began = performance.now();
  await sent('after');
  // It is silent for 5 s before it is left.
  expect(performance.now() - began).toBeLessThan(10_000);
  await cameTo('after');
  expect(bob.bodies).toEqual(['before', 'after']);
  for (const name of processes)
    expect((await cluster.log(name)).filter(({ event }) => event === 'state_lost')).toEqual([]);
}, 60_000);

test('a primary that refuses writes is not left; after 5 s no process is ready, until it takes them', async () => {
  await sent('before');
  await cameTo('before');
  await pair.primary.redis.config('SET', 'min-replicas-to-write', '5');
  const began = performance.now();
  alice.send({ type: 'send', clientId: 'meanwhile', to: bob.welcome.user, kind: 'text', body: 'meanwhile' });
  expect(await alice.find('error', ({ clientId }) => clientId === 'meanwhile')).toMatchObject({
    code: 'retry_later',
    retryable: true,
  });
  await vi.waitFor(async () => expect(await statuses()).toEqual([503, 503, 503, 503]), {
    timeout: 9000,
    interval: 100,
  });
  expect(performance.now() - began).toBeGreaterThan(4900);
  for (const name of processes)
    expect((await cluster.log(name)).map(({ event }) => event)).not.toContain('redis_primary_lost');
  await pair.primary.redis.config('SET', 'min-replicas-to-write', '0');
  await sent('after');
  await cameTo('after');
  await vi.waitFor(async () => expect(await statuses()).toEqual([200, 200, 200, 200]), { timeout: 3000, interval: 50 });
}, 60_000);
