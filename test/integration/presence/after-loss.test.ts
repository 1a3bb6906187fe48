import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { sendTo } from '../../support/pair.ts';
import { patiently } from '../../support/patiently.ts';

/** After a loss of Redis: who knows whom comes back from history, and who hid its presence stays hidden. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

const unseen = { online: false, lastSeen: null };

async function acquaint(one: Welcomed, other: Welcomed): Promise<void> {
  const [a, b] = [one.welcome.user, other.welcome.user];
  await one.request(sendTo(b, `to-${b}`, 1), 'accepted');
  await other.request(sendTo(a, `to-${a}`, 1), 'accepted');
}
const watch = async (device: Welcomed, ...users: string[]) =>
  (await device.request({ type: 'presence', users, watch: true }, 'presence')).users;

test('a loss shows nobody who hides, and hides nobody who does not', async () => {
  const [alice, bob, carol] = (await Promise.all(
    ['alice', 'bob', 'carol'].map((name) => cluster.connect(cluster.user(name))),
  )) as [Welcomed, Welcomed, Welcomed];
  const [a, b, c] = [alice, bob, carol].map(({ welcome }) => welcome.user) as [string, string, string];
  await acquaint(alice, bob);
  await acquaint(alice, carol);
  const setTo = async (presence: string) =>
    expect((await cluster.http(cluster.token(b), 'PATCH', '/settings', { presence })).status).toBe(200);
  await setTo('nobody');
  await cluster.settled();
  expect(await watch(alice, b, c)).toMatchObject({ [b]: unseen, [c]: { online: true } });

  await cluster.wipe();
  alice.send({ type: 'sync', after: 0 });
  await Promise.all([alice.closed, bob.closed, carol.closed]);
  const again = await patiently(cluster, a);
  // Neither is connected yet; the news of their hellos come to a watch that is there already.
  expect(await watch(again, b, c)).toEqual({ [b]: unseen, [c]: unseen });
  await Promise.all([b, c].map((user) => patiently(cluster, user)));
  await again.until('carol', () => again.all('presence').some(({ users }) => users[c]?.online === true), 3000);
  await again.settle();
  expect(again.texts.filter((text) => text.includes(`"${b}":{"online":true`))).toEqual([]);

  await setTo('shared');
  await again.until('bob', () => again.all('presence').some(({ users }) => users[b]?.online === true), 3000);
});
