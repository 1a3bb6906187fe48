import { afterAll, beforeAll, expect, test } from 'vitest';
import { directConversation, sortedPair } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { patiently } from '../../support/patiently.ts';
import { monitorCommands } from '../../support/redis-monitor.ts';
import { sendMany } from '../../support/sending.ts';
import { createUnloader } from '../../support/unloading.ts';

/** Redis knows which of the two users of a direct conversation have written, and a load gives that back. */

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

const keyOf = (one: string, other: string): string => {
  const id = directConversation(one, other);
  return cluster.keys.conversation(cluster.keys.partitionOf(id), id);
};
const wrote = (one: string, other: string): Promise<string | null> => cluster.redis.hget(keyOf(one, other), 'wrote');
const connect = (...names: string[]): Promise<Welcomed[]> =>
  Promise.all(names.map((name) => cluster.connect(cluster.user(name))));
/** The place of a user in the conversation. */
const placeOf = (user: string, other: string): string => String(sortedPair(user, other).indexOf(user) + 1);

test('each user is noted with its first message, in the write that gives its seq', async () => {
  const [alice, bob] = (await connect('alice', 'bob')) as [Welcomed, Welcomed];
  const [a, b] = [alice.welcome.user, bob.welcome.user];
  const key = keyOf(a, b);
  const writes: string[][] = [];
  const monitor = await monitorCommands(cluster.redis, ({ name, args }) => {
    if (args[0] === key && /^h(set|mget|get)$/i.test(name)) writes.push([name.toLowerCase(), ...args.slice(1)]);
  });
  // One by one: the sends of a call share one write.
  for (const name of ['first', 'second']) await sendMany(alice, b, 1, name);
  expect(await wrote(a, b)).toBe(placeOf(a, b));
  for (const name of ['first', 'second']) await sendMany(bob, a, 1, name);
  expect(await wrote(a, b)).toBe('12');
  monitor.disconnect();
  const sets = writes.filter(([name, field]) => name === 'hset' && field === 'seq');
  expect(sets).toEqual([
    ['hset', 'seq', '1', 'wrote', placeOf(a, b)],
    ['hset', 'seq', '2'],
    ['hset', 'seq', '3', 'wrote', '12'],
    ['hset', 'seq', '4'],
  ]);
});

test('two sends of one call note both, and a conversation with oneself is of one who wrote', async () => {
  const [alice] = (await connect('alice')) as [Welcomed];
  const a = alice.welcome.user;
  await sendMany(alice, a, 1, 'to-self');
  expect(await wrote(a, a)).toBe('12');
});

test('a service that is neither of the two is not noted, and one that writes for a user is', async () => {
  const [a, b] = [cluster.user('alice'), cluster.user('bob')];
  const service = cluster.token('backend', { scope: 'service' });
  const send = (sender: string, clientId: string) =>
    cluster.http(service, 'POST', '/messages', { sender, to: b, clientId, kind: 'text', body: 1 });
  expect((await send(a, 'one')).status).toBe(201);
  expect(await wrote(a, b)).toBe(placeOf(a, b));
});

test('stays beside the mark of an unloaded conversation, and comes back from history after a loss', async () => {
  const [alice, bob] = (await connect('alice', 'bob')) as [Welcomed, Welcomed];
  const [a, b] = [alice.welcome.user, bob.welcome.user];
  const id = directConversation(a, b);
  await sendMany(alice, b, 3, 'first');
  await cluster.settled();
  const unloader = createUnloader(cluster);
  await unloader.unload(id);
  expect(await unloader.held(id)).toMatchObject({ wrote: placeOf(a, b) });
  await unloader.close();

  await sendMany(bob, a, 1, 'answer');
  expect(await wrote(a, b)).toBe('12');
  await sendMany(alice, b, 199, 'many');
  await cluster.settled();

  await cluster.wipe();
  alice.send({ type: 'sync', after: 0 });
  await Promise.all([alice.closed, bob.closed]);
  const again = await patiently(cluster, a);
  await again.request({ type: 'history', to: b, limit: 1 }, 'history');
  // The newest 200 messages hold the one of bob, and the next message of alice would push it out.
  expect(await wrote(a, b)).toBe('12');
});
