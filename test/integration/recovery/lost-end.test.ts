import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { type DurableRedis, startDurableRedis } from '../../support/durable-redis.ts';
import type { Frame } from '../../support/frames.ts';
import { patiently, sendPatiently } from '../../support/patiently.ts';
import { sendMany } from '../../support/sending.ts';

/**
 * Redis comes back without its last moments, as after a power cut, and history had not come to them. Those who know are
 * the processes that saw them, and history, which knows who they are.
 */

const jump = 1_000_000;
const processes = ['web-1', 'web-2', 'fanout-1'];

let redis: DurableRedis;
let cluster: Cluster;
let alice: Welcomed;
beforeEach(async () => {
  redis = await startDurableRedis();
  cluster = await startCluster({ redisUrl: redis.url, gateways: 2, archive: false });
  // It is away for a while: that is what is tried here.
  cluster.redis.on('error', () => undefined);
  alice = await cluster.connect('alice');
});
afterEach(async () => {
  await cluster.stop();
  await redis.stop();
});

type Message = Frame<'accepted'>['message'];
const accepted = (): Message[] => alice.all('accepted').map(({ message }) => message);

/** The losses that processes have logged, in their order. */
async function lossesOf(names: string[]): Promise<unknown[]> {
  const logs = await Promise.all(names.map((name) => cluster.log(name)));
  return logs
    .flat()
    .filter(({ event }) => event === 'state_lost')
    .sort((one, other) => Number(one['generation']) - Number(other['generation']));
}

/** Accepts three messages, lets `meanwhile` happen to the processes while Redis loses the last two, and starts it. */
async function loseTheEnd(meanwhile: () => Promise<unknown>): Promise<Message[]> {
  await sendMany(alice, 'bob', 1, 'kept');
  await cluster.settled('inbox');
  const putBack = await redis.copy();
  await sendMany(alice, 'bob', 2, 'lost');
  await Promise.all([redis.kill(), meanwhile()]);
  await putBack();
  await redis.start();
  return accepted();
}

/** The client is told since when something may be lost; the next message has a seq and an id that nobody has seen. */
async function expectLoss(before: Message[]): Promise<void> {
  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch, position: 1, gateway: 2 });
  expect(again.welcome).toMatchObject({ reset: true, lostSince: expect.any(Number) });
  expect(again.welcome.epoch).not.toBe(alice.welcome.epoch);
  expect(again.welcome.lostSince!).toBeLessThanOrEqual(before[1]!.at);
  const { message } = await sendPatiently(again, 'next', { to: 'bob' });
  expect(message.seq).toBeGreaterThan(jump);
  expect(before.map(({ id }) => id)).not.toContain(message.id);
}

describe('the end is lost', () => {
  test('and every process lives: what they saw shows it', async () => {
    const before = await loseTheEnd(async () => undefined);
    await expectLoss(before);
    expect(await lossesOf(processes)).toMatchObject([
      { generation: 1, reason: expect.stringMatching(/ends at .*has seen/) },
    ]);
  });

  test('and one process that saw it is dead', async () => {
    await expectLoss(await loseTheEnd(() => cluster.end('web-1', 'SIGKILL')));
    expect(await lossesOf(['web-2', 'fanout-1'])).toMatchObject([{ generation: 1 }]);
  });

  test('and everybody is dead', async () => {
    const before = await loseTheEnd(() => Promise.all(processes.map((name) => cluster.end(name, 'SIGKILL'))));
    await Promise.all(processes.map((name) => cluster.start(name)));
    await expectLoss(before);
    expect(await lossesOf(processes)).toMatchObject([
      { generation: 1, reason: expect.stringContaining('not heard of') },
    ]);
  });

  test('and everybody has left in good order before', async () => {
    await sendMany(alice, 'bob', 1, 'kept');
    await cluster.settled('inbox');
    const putBack = await redis.copy();
    await sendMany(alice, 'bob', 2, 'lost');
    await Promise.all(processes.map((name) => cluster.end(name)));
    await redis.kill();
    await putBack();
    await redis.start();
    await Promise.all(processes.map((name) => cluster.start(name)));
    await expectLoss(accepted());
    expect(await lossesOf(processes)).toMatchObject([{ generation: 1, reason: expect.stringContaining('mark') }]);
  });

  test('with what a process saw that had just started, and is dead', async () => {
    await cluster.end('web-2');
    const putBack = await redis.copy();
    await cluster.start('web-2');
    const carol = await cluster.connect('carol', { gateway: 2 });
    await sendMany(carol, 'dave', 2, 'lost');
    await Promise.all([redis.kill(), cluster.end('web-2', 'SIGKILL')]);
    await putBack();
    await redis.start();
    const again = await patiently(cluster, 'carol', { epoch: carol.welcome.epoch });
    expect(again.welcome).toMatchObject({ reset: true });
    const { message } = await sendPatiently(again, 'next', { to: 'dave' });
    expect(message.seq).toBeGreaterThan(jump);
  });

  test('twice: one loss each, and never a seq again', async () => {
    const first = await loseTheEnd(async () => undefined);
    await expectLoss(first);
    const bob = await patiently(cluster, 'bob');
    const second = await sendPatiently(bob, 'second', { to: 'alice' });
    const putBack = await redis.copy();
    const third = await sendPatiently(bob, 'third', { to: 'alice' });
    await redis.kill();
    await putBack();
    await redis.start();
    const again = await patiently(cluster, 'bob', { epoch: bob.welcome.epoch });
    const { message } = await sendPatiently(again, 'fourth', { to: 'alice' });
    expect([second, third].map(({ message: { seq } }) => Math.floor(seq / jump))).toEqual([1, 1]);
    expect(message.seq).toBeGreaterThan(2 * jump);
    expect(await lossesOf(processes)).toMatchObject([{ generation: 1 }, { generation: 2 }]);
  });
});

describe('nothing is lost: the epoch stays, and seqs are dense', () => {
  const expectNothing = async (seqs: number[]): Promise<void> => {
    const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch, device: 'other' });
    expect(again.welcome).toMatchObject({ epoch: alice.welcome.epoch });
    expect(again.welcome.reset).toBeUndefined();
    const { message } = await sendPatiently(again, 'next', { to: 'bob' });
    expect(message.seq).toBe(Math.max(...seqs) + 1);
    expect(await lossesOf(processes)).toEqual([]);
  };

  test('when Redis is killed and comes back, three times', async () => {
    for (let round = 1; round <= 3; round++) {
      await sendPatiently(await patiently(cluster, 'alice', { device: 'other' }), `round-${round}`, { to: 'bob' });
      await redis.kill();
      await redis.start();
    }
    await expectNothing([3]);
  });

  test('when everything stops in good order and starts again', async () => {
    await sendMany(alice, 'bob', 3);
    await Promise.all(processes.map((name) => cluster.end(name)));
    await redis.kill();
    await redis.start();
    const history = openSqliteStore(`${cluster.dir}/history.db`);
    expect(await history.enlisted()).toEqual([]);
    await history.close();
    await Promise.all(processes.map((name) => cluster.start(name)));
    await expectNothing([3]);
  });

  test('when a process is killed while Redis runs on', async () => {
    await sendMany(alice, 'bob', 3);
    await cluster.end('web-1', 'SIGKILL');
    await cluster.end('fanout-1', 'SIGKILL');
    await cluster.start('web-1');
    await cluster.start('fanout-1');
    await expectNothing([1, 2, 3]);
  });

  test('when Redis is silent for longer than a process waits for an answer', async () => {
    await sendMany(alice, 'bob', 3);
    redis.pause();
    // Time itself is tested.
    await pause(4000);
    redis.resume();
    await expectNothing([3]);
  });
});

test('a process that cannot be asked for 10 s counts as a loss, and follows when it wakes up', async () => {
  await sendMany(alice, 'bob', 2);
  await cluster.settled('inbox');
  cluster.pause('web-1');
  await redis.kill();
  await redis.start();
  await vi.waitFor(async () => expect(await lossesOf(['web-2', 'fanout-1'])).toMatchObject([{ generation: 1 }]), {
    timeout: 20_000,
    interval: 200,
  });
  cluster.resume('web-1');
  const again = await patiently(cluster, 'alice', { epoch: alice.welcome.epoch });
  expect(again.welcome).toMatchObject({ reset: true });
});
