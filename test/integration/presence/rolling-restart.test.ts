import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';

/**
 * Every gateway is restarted while many users are watched: each of them comes back elsewhere, and nobody is told that
 * one was away. `PRESENCE_USERS` sets how many.
 */

const count = Number(process.env['PRESENCE_USERS'] ?? 200);
const gateways = 3;
const gone = new Set<number>();
let cluster: Cluster;
let ended = false;
let moves = 0;

beforeAll(async () => {
  cluster = await startCluster({ gateways, archive: false, env: { DRAIN_MS: '2000' } });
});
afterAll(() => cluster.stop());

/** A gateway that is there, as a load balancer would choose. */
function chosen(turn: number): number {
  for (let i = turn; ; i++) if (!gone.has((i % gateways) + 1)) return (i % gateways) + 1;
}

/** A device that comes back by itself, within two seconds, when its gateway closes it. `began`: after each hello. */
async function staying(user: string, turn: number, began: (device: Welcomed) => void = () => undefined): Promise<void> {
  for (;;) {
    const opened = await openDevice(cluster.url(chosen(turn++)));
    opened.send({ type: 'hello', token: cluster.token(user), device: 'phone' });
    began(Object.assign(opened, { welcome: await opened.find('welcome') }));
    void opened.closed.then(async () => {
      if (ended) return;
      moves += 1;
      await pause(Math.random() * 2000);
      // A gateway that has just gone refuses it; another try finds the next one.
      for (let tries = 0; tries < 20 && !ended; tries++) {
        try {
          return await staying(user, turn + tries, began);
        } catch {
          await pause(200);
        }
      }
    });
    return;
  }
}

test('nobody is told offline of who comes back', async () => {
  const users = Array.from({ length: count }, (_, i) => `user_${i}`);
  const service = cluster.token('backend', { scope: 'service' });
  // Groups of at most 200, in each of which the watchers are members.
  for (let i = 0; i < count; i += 150) {
    const members = ['watcher_1', 'watcher_2', 'watcher_3', ...users.slice(i, i + 150)];
    expect((await cluster.http(service, 'POST', '/conversations', { id: `group-${i}`, members })).status).toBe(201);
  }
  await cluster.settled('inbox');
  for (let i = 0; i < count; i += 50) await Promise.all(users.slice(i, i + 50).map((user, j) => staying(user, i + j)));

  const watching: Welcomed[] = [];
  const begin = (device: Welcomed): void => {
    watching.push(device);
    device.send({ type: 'presence', id: 'watch', users: users.slice(0, 200), watch: true });
  };
  for (const i of [1, 2, 3]) await staying(`watcher_${i}`, i - 1, begin);
  for (const device of watching) {
    const { users: states } = await device.find('presence');
    expect(Object.values(states).filter(({ online }) => online)).toHaveLength(Math.min(count, 200));
  }

  for (let i = 1; i <= gateways; i++) {
    gone.add(i);
    await cluster.end(`web-${i}`);
    await cluster.start(`web-${i}`);
    gone.delete(i);
    await pause(2500);
  }
  // The leases of the gateways that are gone lapse, and the watching ones look again.
  await pause(38_000);
  const unasked = watching.flatMap((device) => device.all('presence').filter(({ re }) => re === undefined));
  const offline = unasked.flatMap((frame) => Object.entries(frame.users).filter(([, { online }]) => !online));
  console.log(`presence, rolling restart: ${count} users, ${moves} moves, ${offline.length} offline frames`);
  expect(offline).toEqual([]);
  expect(moves).toBeGreaterThanOrEqual(count);

  // The watches still tell: the ones of now hear of a user who stays away.
  ended = true;
  const present = watching.filter(({ socket }) => socket.readyState === 1);
  expect(present).toHaveLength(3);
  expect((await cluster.http(service, 'POST', `/users/${users[0]}/disconnect`)).status).toBe(204);
  await Promise.all(
    present.map((device) =>
      device.until(
        'offline',
        () => device.all('presence').some((frame) => frame.users[users[0]!]?.online === false),
        15_000,
      ),
    ),
  );
}, 180_000);
