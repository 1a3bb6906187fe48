import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { apiOf, textTo } from '../../support/http-client.ts';
import { appendedEntries } from '../../support/inbox.ts';

/** What one user can do to others with the limits that a deployment has unless it says otherwise. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ env: { RATE_LIMITS: '', SEND_RATE_PER_USER: '', MAX_GROUP_MEMBERS_BY_USER: '' } });
});
afterAll(() => cluster.stop());

const floodMs = 3000;
/** Far above what an accept takes, far below what a flooded gateway took: the machine of the tests has other work. */
const slowMs = 1000;

/** Sends one message after the other while the flood lasts. Resolves what each took, in rising order (ms). */
async function acceptsDuring(innocent: Welcomed, flood: (until: number) => Promise<unknown>): Promise<number[]> {
  const until = performance.now() + floodMs;
  const flooding = flood(until);
  const took: number[] = [];
  while (performance.now() < until) {
    const began = performance.now();
    const { clientId, ...rest } = textTo({ to: innocent.welcome.user });
    innocent.send({ type: 'send', clientId, ...rest });
    await innocent.until('the answer', () => innocent.all('accepted').find((one) => one.clientId === clientId));
    took.push(performance.now() - began);
    // The pace of somebody who writes, all through the flood.
    await pause(15);
  }
  await flooding;
  return took.sort((one, other) => one - other);
}

function expectFast(took: number[]): void {
  expect(took.length).toBeGreaterThan(20);
  expect(took[Math.floor(took.length / 2)]).toBeLessThan(slowMs / 4);
  expect(took[Math.floor(took.length * 0.95)]).toBeLessThan(slowMs);
}

describe('one user floods, and another one sends as fast as before', () => {
  test('with groups, members and names', async () => {
    const [innocent, mallory] = [await cluster.connect(cluster.user('alice')), cluster.user('mallory')];
    const api = apiOf(cluster, cluster.token(mallory));
    const { body: group } = await api('POST', '/conversations', { members: ['victim'] });
    const path = `/conversations/${group['id'] as string}`;
    const before = await appendedEntries(cluster);
    const asks = [
      () => api('POST', '/conversations', { members: ['victim'] }),
      () => api('PATCH', path, { name: `n${Math.random()}` }),
      () => api('PUT', `${path}/members/carol`),
      () => api('DELETE', `${path}/members/carol`),
    ];
    const statuses = new Map<number, number>();
    const took = await acceptsDuring(innocent, (until) =>
      Promise.all(
        [...asks, ...asks].map(async (ask) => {
          // A slow machine takes longer to reach the limits.
          while (performance.now() < until || !statuses.has(429)) {
            const { status } = await ask();
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
          }
        }),
      ),
    );
    expectFast(took);
    expect(statuses.get(429)).toBeGreaterThan(0);
    // 60 groups, 240 names and 1,200 members an hour, and what comes back in these seconds; the rest are the messages
    // of alice.
    expect((await appendedEntries(cluster)) - before).toBeLessThan(60 + 240 + 1200 + 20 + took.length + 1);
    expect(statuses.get(201) ?? 0).toBeLessThanOrEqual(60);
  });

  test('with frames that are none: each connection is closed with 4429, and then the hellos end', async () => {
    const [innocent, mallory] = [await cluster.connect(cluster.user('alice')), cluster.user('mallory')];
    const closed: number[] = [];
    let sent = 0;
    const took = await acceptsDuring(innocent, async (until) => {
      // A slow machine takes longer to reach the limits.
      const goesOn = (): boolean => performance.now() < until || closed.length === 0;
      while (goesOn()) {
        const device = await openDevice(cluster.url());
        device.send({ type: 'hello', token: cluster.token(mallory), device: 'phone' });
        await device.find('welcome');
        while (device.socket.readyState === 1 && goesOn()) {
          for (let i = 0; i < 100; i++, sent++) device.send({ type: 'dance' });
          // The pace of the flood: 10,000 frames a second.
          await pause(10);
        }
        if (device.socket.readyState === 1) device.socket.terminate();
        else closed.push((await device.closed).code);
      }
    });
    expectFast(took);
    expect(closed.length).toBeGreaterThan(0);
    expect(new Set(closed)).toEqual(new Set([4429]));
  });

  test('with reading', async () => {
    const [innocent, mallory] = [
      await cluster.connect(cluster.user('alice')),
      await cluster.connect(cluster.user('mallory'), { mode: 'pull' }),
    ];
    let answered = 0;
    const began = performance.now();
    const took = await acceptsDuring(innocent, async (until) => {
      // A slow machine takes longer to reach the limits.
      while (performance.now() < until || mallory.all('error').length === 0) {
        const before = mallory.frames.length;
        for (let i = 0; i < 20; i++) mallory.send(i % 2 ? { type: 'sync', after: 0 } : { type: 'history', to: 'bob' });
        await mallory.until(
          'the answers',
          () => mallory.frames.length >= before + 20 || mallory.socket.readyState !== 1,
        );
        if (mallory.socket.readyState !== 1) break;
        answered = mallory.all('page').length + mallory.all('history').length;
      }
    });
    const seconds = (performance.now() - began) / 1000;
    expectFast(took);
    // 100 at once, 100 a second afterwards.
    expect(answered).toBeLessThanOrEqual(100 + seconds * 100 + 100);
    expect(mallory.all('error').length).toBeGreaterThan(0);
  });
});
