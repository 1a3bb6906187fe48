import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import type { Device } from '../../support/device.ts';
import { positionsOf } from '../../support/inbox.ts';
import { sendMany } from '../../support/sending.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, archive: false, jobs: 2 });
});
afterAll(() => cluster.stop());

const jobOf = (user: string): string => `${cluster.keys.queuePrefix('delivery')}:delivery:d.${user}.phone`;
const hasJob = async (user: string): Promise<boolean> => (await cluster.redis.exists(jobOf(user))) === 1;
const within = (ms: number) => ({ timeout: ms, interval: 50 });
/** When each of the frames with an item came, by the device's own clock (ms). */
function clocked(device: Device): number[] {
  const times: number[] = [];
  device.socket.on('message', (data) => {
    if ((data as Buffer).toString().startsWith('{"type":"deliver"')) times.push(performance.now());
  });
  return times;
}

// A push has 5 s to be received and the pauses after it grow to 40 s, so these wait at the same time.
test.concurrent('what is not received in time is pushed again by a job, which ends with the receipt', async () => {
  const bob = await cluster.connect(cluster.user('bob'));
  const alice = await cluster.connect(cluster.user('alice'));
  const times = clocked(bob);
  await sendMany(alice, bob.welcome.user, 2);
  await vi.waitFor(() => expect(positionsOf(bob)).toEqual([1, 2, 1, 2]), within(15_000));
  expect(times.at(-1)! - times[0]!).toBeGreaterThan(4900);
  expect(await hasJob(bob.welcome.user)).toBe(true);
  bob.send({ type: 'received', position: 2 });
  await vi.waitFor(async () => expect(await hasJob(bob.welcome.user)).toBe(false), within(10_000));
});

test.concurrent('a job goes on at whichever gateway holds the device', async () => {
  const name = cluster.user('carol');
  const first = await cluster.connect(name);
  const alice = await cluster.connect(cluster.user('alice'));
  await sendMany(alice, name, 1);
  await vi.waitFor(async () => expect(await hasJob(name)).toBe(true), within(15_000));
  const second = await cluster.connect(name, { gateway: 2 });
  expect(await first.closed).toMatchObject({ code: 4409 });
  const since = performance.now();
  // An attempt that comes before this connection has had its time to receive pushes nothing; the pause after it may be
  // 25 s.
  await vi.waitFor(() => expect(positionsOf(second)).toEqual([1, 1]), within(45_000));
  expect(performance.now() - since).toBeGreaterThan(4500);
  second.send({ type: 'received', position: 1 });
}, 75_000);

test.concurrent('a job ends where no gateway holds the device', async () => {
  const name = cluster.user('erin');
  const erin = await cluster.connect(name);
  const alice = await cluster.connect(cluster.user('alice'));
  await sendMany(alice, name, 1);
  await vi.waitFor(async () => expect(await hasJob(name)).toBe(true), within(15_000));
  await erin.close();
  await vi.waitFor(async () => expect(await hasJob(name)).toBe(false), within(17_000));
}, 60_000);

test.concurrent('what was received by HTTP needs no job', async () => {
  const name = cluster.user('dora');
  const dora = await cluster.connect(name);
  const alice = await cluster.connect(cluster.user('alice'));
  await sendMany(alice, name, 1);
  await cluster.settled('inbox');
  expect(
    await cluster.http(cluster.token(name), 'POST', '/inbox/received', { device: 'phone', position: 1 }),
  ).toMatchObject({ status: 200 });
  const events = `${cluster.keys.queuePrefix('delivery')}:delivery:events`;
  await vi.waitFor(async () => {
    const told = (await cluster.redis.xrange(events, '-', '+')).map(([, fields]) => fields.join(' '));
    expect(told.some((one) => one.includes('event completed') && one.includes(`d.${name}.phone`))).toBe(true);
  }, within(15_000));
  expect(await hasJob(name)).toBe(false);
  expect(positionsOf(dora)).toEqual([1]);
});

test('jobs of a paused process are done by another and again by it, and nothing is pushed twice', async () => {
  const devices = await Promise.all(Array.from({ length: 400 }, () => cluster.connect(cluster.user('eve'))));
  const times = devices.map(clocked);
  // Each is content when it was pushed to three times: a session gives up after five.
  for (const device of devices)
    device.socket.on('message', () => device.items.length === 3 && device.send({ type: 'received', position: 1 }));
  const alice = await cluster.connect(cluster.user('alice'));
  for (const [i, { welcome }] of devices.entries())
    alice.send({ type: 'send', clientId: `eve-${i}`, to: welcome.user, kind: 'text', body: i });
  await alice.until('all accepted', () => alice.all('accepted').length === devices.length);

  // Paused at a moment at which it has jobs in hand.
  const active = `${cluster.keys.queuePrefix('delivery')}:delivery:active`;
  const inHand = async (): Promise<string[]> => {
    for (;;) {
      if ((await cluster.redis.llen(active)) === 0) continue;
      cluster.pause('jobs-1');
      // What the other one has in hand is done in a moment; what stays belongs to the paused one.
      const before = await cluster.redis.lrange(active, 0, -1);
      await cluster.redis.ping();
      let left = before;
      await vi.waitFor(async () => {
        const now = await cluster.redis.lrange(active, 0, -1);
        const stays = now.filter((id) => left.includes(id));
        const settled = stays.length === left.length && now.length === stays.length;
        left = now;
        expect(settled).toBe(true);
      }, within(15_000));
      if (left.some((id) => id.startsWith('d.'))) return left;
      cluster.resume('jobs-1');
    }
  };
  const held = await inHand();
  expect(held.length).toBeGreaterThan(0);
  await vi.waitFor(async () => {
    const now = await cluster.redis.lrange(active, 0, -1);
    expect(now.filter((id) => held.includes(id))).toEqual([]);
  }, within(45_000));
  cluster.resume('jobs-1');
  await vi.waitFor(() => expect(devices.every((device) => device.items.length >= 3)).toBe(true), within(40_000));
  await vi.waitFor(async () => {
    expect((await Promise.all(devices.map(({ welcome }) => hasJob(welcome.user)))).filter(Boolean)).toEqual([]);
  }, within(60_000));
  for (const one of times) {
    for (let i = 1; i < one.length; i++) expect(one[i]! - one[i - 1]!).toBeGreaterThan(4500);
  }
  expect(await cluster.redis.hvals(cluster.keys.deadLetters.letters)).toEqual([]);
}, 150_000);
