import { afterEach, beforeEach, expect, test } from 'vitest';
import { edit, recall, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { snapshot } from '../../support/older-redis.ts';
import { patiently } from '../../support/patiently.ts';
import { sendMany } from '../../support/sending.ts';

/** Seqs that a loss of Redis skipped are no messages: nothing counts them as unread. */

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster();
});
afterEach(() => cluster.stop());

type View = {
  id: string;
  unread: number;
  readSeq: number;
  lastSeq: number;
  members?: { user: string; joinedSeq: number }[];
};

async function get<Body>(user: string, path: string): Promise<Body> {
  const { status, body } = await cluster.http(cluster.token(user), 'GET', path);
  expect(status).toBe(200);
  return body as Body;
}
const one = (user: string, conversation: string) => get<View>(user, `/conversations/${conversation}`);
const listed = async (user: string, conversation: string) =>
  (await get<{ conversations: View[] }>(user, '/conversations')).conversations.find(({ id }) => id === conversation);

/** The summary, the list and the conversation alone say the same number. */
async function expectUnread(user: string, conversation: string, unread: number): Promise<void> {
  expect((await one(user, conversation)).unread).toBe(unread);
  expect(await listed(user, conversation)).toMatchObject({ unread });
  const { welcome } = await cluster.connect(user, { mode: 'lazy', device: 'counter' });
  const shown = welcome.unread.conversations.find((found) => found.conversation === conversation);
  expect(shown?.unread ?? 0).toBe(unread);
  expect(welcome.unread.total).toBe(unread);
}

async function lost(...devices: Welcomed[]): Promise<void> {
  await cluster.wipe();
  devices[0]!.send({ type: 'sync', after: 0 });
  await Promise.all(devices.map(({ closed }) => closed));
}

test('a group created after a loss has nothing unread, and is seen from its first message on', async () => {
  const first = await cluster.connect('one');
  await lost(first);
  await patiently(cluster, 'one');
  const created = await cluster.http(cluster.token('one'), 'POST', '/conversations', {
    id: 'new-group',
    members: ['two'],
  });
  expect(created.status).toBe(201);
  await cluster.settled();
  const view = await one('two', 'new-group');
  expect(view.lastSeq).toBeGreaterThan(0);
  expect(view).toMatchObject({ unread: 0, readSeq: view.lastSeq });
  expect(view.members).toEqual([
    { user: 'one', joinedSeq: view.lastSeq },
    { user: 'two', joinedSeq: view.lastSeq },
  ]);
  await expectUnread('two', 'new-group', 0);
  const again = await cluster.connect('one');
  await sendMany(again, { conversation: 'new-group' }, 2);
  await cluster.settled();
  await expectUnread('two', 'new-group', 2);
  // What history knows of its members is the same.
  await lost(again);
  await patiently(cluster, 'one');
  expect((await one('two', 'new-group')).members).toEqual(view.members);
});

test('the first message ever between two users after a loss is one unread message', async () => {
  await lost(await cluster.connect('three'));
  const three = await patiently(cluster, 'three');
  await sendMany(three, { to: 'four' }, 1);
  await cluster.settled();
  await expectUnread('four', three.all('accepted')[0]!.message.conversation, 1);
});

test('of a conversation that was read, only what comes after the loss counts, also while the inbox lags', async () => {
  const [writer, reader] = await Promise.all([cluster.connect('writer'), cluster.connect('reader')]);
  await sendMany(writer, { to: 'reader' }, 11);
  const { conversation } = writer.all('accepted')[0]!.message;
  await cluster.settled();
  await reader.request({ type: 'read', conversation, seq: 11 }, 'read');
  await lost(writer, reader);
  const again = await patiently(cluster, 'writer');
  // What history knows when a user is loaded counts as read: so this comes first.
  await patiently(cluster, 'reader');
  await cluster.end('fanout');
  // A text of this length waits for the fanout.
  await sendMany(again, { to: 'reader' }, 1, 'after', () => 'x'.repeat(10_000));
  expect((await one('reader', conversation)).unread).toBe(1);
  await cluster.start('fanout');
  await cluster.settled();
  await expectUnread('reader', conversation, 1);
});

test('a group without messages has nothing unread after a loss', async () => {
  const alice = await cluster.connect('alice');
  expect(
    (await cluster.http(cluster.token('alice'), 'POST', '/conversations', { id: 'quiet-group', members: ['bob'] }))
      .status,
  ).toBe(201);
  await cluster.settled();
  await lost(alice);
  await patiently(cluster, 'alice');
  await expectUnread('bob', 'quiet-group', 0);
  await cluster.settled();
  await expectUnread('bob', 'quiet-group', 0);
});

test('a Redis that comes back older knows from history what earlier losses skipped', async () => {
  const [alice, bob] = await Promise.all([cluster.connect('alice'), cluster.connect('bob')]);
  await sendMany(alice, { to: 'bob' }, 5);
  const { conversation } = alice.all('accepted')[0]!.message;
  await cluster.settled();
  await bob.request({ type: 'read', conversation, seq: 3 }, 'read');
  const restore = await snapshot(cluster);
  await lost(alice, bob);
  const second = await patiently(cluster, 'alice');
  await sendMany(second, { to: 'bob' }, 2, 'between');
  await cluster.settled();
  for (const line of ['web', 'fanout', 'archive']) await cluster.end(line);
  await restore();
  await Promise.all(['web', 'fanout', 'archive'].map((line) => cluster.start(line)));
  const third = await patiently(cluster, 'alice');
  // Two of the first five, and both from between the losses.
  expect((await cluster.connect('bob', { mode: 'lazy', device: 'early' })).welcome.unread.total).toBe(4);
  await sendMany(third, { to: 'bob' }, 1, 'last');
  await cluster.settled();
  await expectUnread('bob', conversation, 5);
});

test('reading moves beyond skipped seqs, which are forgotten then', async () => {
  const [alice, bob] = await Promise.all([cluster.connect('alice'), cluster.connect('bob')]);
  await sendMany(alice, { to: 'bob' }, 2);
  const { conversation } = alice.all('accepted')[0]!.message;
  await cluster.settled();
  await lost(alice, bob);
  const again = await patiently(cluster, 'alice');
  await sendMany(again, { to: 'bob' }, 1, 'after');
  await cluster.settled();
  const { seq } = again.all('accepted')[0]!.message;
  const reader = await patiently(cluster, 'bob', { device: 'reader' });
  expect(await cluster.redis.hget(cluster.keys.user('bob'), `q:${conversation}`)).toBe(`3-${seq - 1}`);
  await reader.request({ type: 'read', conversation, seq }, 'read');
  await expectUnread('bob', conversation, 0);
  expect(await cluster.redis.hget(cluster.keys.user('bob'), `q:${conversation}`)).toBeNull();
});

test('amendments that only history knows do not count in a Redis that comes back older', async () => {
  const [alice, bob] = await Promise.all([cluster.connect('alice'), cluster.connect('bob')]);
  const to = { to: 'bob' };
  const first = await say(alice, to, 'one');
  const second = await say(alice, to, 'two');
  const { conversation } = alice.all('accepted')[0]!.message;
  await cluster.settled();
  await bob.request({ type: 'read', conversation, seq: 1 }, 'read');
  const restore = await snapshot(cluster);
  // An edit of which another one takes the place has no row of its own.
  await edit(alice, to, first, 'one, edited');
  await edit(alice, to, first, 'one, edited again');
  await recall(alice, to, second);
  await say(alice, to, 'three');
  await cluster.settled();
  for (const line of ['web', 'fanout', 'archive']) await cluster.end(line);
  await restore();
  await Promise.all(['web', 'fanout', 'archive'].map((line) => cluster.start(line)));
  const again = await patiently(cluster, 'alice');
  await patiently(cluster, 'bob');
  await say(again, to, 'four');
  await cluster.settled();
  await expectUnread('bob', conversation, 2);
});
