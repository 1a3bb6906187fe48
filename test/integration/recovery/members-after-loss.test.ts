import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openSqliteStore } from '../../../shared/history/sqlite/store.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { fromInbox } from '../../support/frames.ts';
import { patiently } from '../../support/patiently.ts';
import { numbers, sendMany } from '../../support/sending.ts';

/**
 * Members, versions and spans over a loss of Redis: what was changed and not archived yet is lost, and must not come
 * back.
 */

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startCluster();
});
afterEach(() => cluster.stop());

const path = '/conversations/group-1';

async function change(method: 'PUT' | 'DELETE', user: string): Promise<void> {
  expect((await cluster.http(cluster.token('alice'), method, `${path}/members/${user}`)).status).toBe(204);
}

const create = async (...members: string[]): Promise<number> =>
  (await cluster.http(cluster.token('alice'), 'POST', '/conversations', { id: 'group-1', members })).status;

/** Redis loses everything; resolves with alice, come back. */
async function wipedUnder(alice: Welcomed): Promise<Welcomed> {
  await cluster.wipe();
  alice.send({ type: 'sync', after: 0 });
  await alice.closed;
  return patiently(cluster, 'alice', { epoch: alice.welcome.epoch });
}

const say = (device: Welcomed, body: string) =>
  device.request(
    { type: 'send', clientId: body.replaceAll(' ', '-'), conversation: 'group-1', kind: 'text', body },
    'accepted',
  );

/** The bodies that stand in a user's inbox. */
async function inboxOf(user: string): Promise<unknown[]> {
  const { status, body } = await cluster.http(cluster.token(user), 'GET', '/inbox?limit=200');
  expect(status).toBe(200);
  return fromInbox((body as { items: { position: number; message: { body: unknown } }[] }).items as never).map(
    ({ message }) => message.body,
  );
}

test('a member removed after a loss gets nothing more, though lost joins had the same versions', async () => {
  const alice = await cluster.connect('alice');
  expect(await create('alice', 'bob')).toBe(201);
  await say(alice, 'before');
  await cluster.settled();
  await cluster.end('archive', 'SIGKILL');
  for (const user of ['carol', 'dora', 'erin']) await change('PUT', user);
  await say(alice, 'seen by five');
  await cluster.settled('inbox');
  const again = await wipedUnder(alice);
  await cluster.start('archive');
  await change('DELETE', 'bob');
  await say(again, 'not for bob');
  await cluster.settled();
  expect(await inboxOf('bob')).not.toContain('not for bob');
  expect(await inboxOf('carol')).toEqual([]);
  expect(await inboxOf('alice')).toContain('not for bob');
  // History agrees: the row of the removal is newer than any from before the loss.
  const third = await wipedUnder(again);
  await say(third, 'not for bob either');
  await cluster.settled();
  expect(await inboxOf('bob')).not.toContain('not for bob either');
  expect((await cluster.http(cluster.token('bob'), 'GET', path)).status).toBe(404);
});

test('a lost group created again under its id has new members, and gives no number again', async () => {
  await cluster.end('archive', 'SIGKILL');
  const alice = await cluster.connect('alice');
  expect(await create('alice', 'bob')).toBe(201);
  const seqs = [(await say(alice, 'first')).message.seq];
  await cluster.settled('inbox');
  let last = alice;
  for (const member of ['carol', 'dora']) {
    last = await wipedUnder(last);
    expect(await create('alice', member)).toBe(201);
    seqs.push((await say(last, `with ${member}`)).message.seq);
    await cluster.settled('inbox');
    expect(await inboxOf(member)).toEqual([`with ${member}`]);
  }
  expect(await inboxOf('bob')).toEqual([]);
  expect(await inboxOf('carol')).toEqual([]);
  expect(seqs).toEqual([...new Set(seqs)].sort((one, other) => one - other));
});

test.each([
  ['is announced after a loss, not the last one alone', false],
  ['is announced after a loss, also if a message came before the user did', true],
])('every time of membership %s', async (_, isFirst) => {
  const alice = await cluster.connect('alice');
  expect(await create('alice', 'bob')).toBe(201);
  await sendMany(alice, { conversation: 'group-1' }, 3, 'in');
  await change('DELETE', 'bob');
  await sendMany(alice, { conversation: 'group-1' }, 3, 'out');
  await change('PUT', 'bob');
  await sendMany(alice, { conversation: 'group-1' }, 2, 'in-again');
  await cluster.settled();
  const again = await wipedUnder(alice);
  if (isFirst) {
    await say(again, 'before bob');
    await cluster.settled('inbox');
  }
  const bob = await patiently(cluster, 'bob');
  if (isFirst) {
    await bob.until('the message', () => bob.bodies.includes('before bob'));
    bob.received(bob.items.at(-1)!.position);
  }
  await bob.until('both gaps', () => bob.gaps.length === 2);
  const covered = (seq: number): boolean => bob.gaps.some(({ fromSeq, toSeq }) => fromSeq <= seq && seq <= toSeq);
  expect(numbers(1, 10).filter(covered)).toEqual([...numbers(1, 4), ...numbers(8, 3)]);
});

test('a device that missed two losses is told of the first, one that knows the first of the second', async () => {
  const alice = await cluster.connect('alice');
  const { epoch } = alice.welcome;
  await sendMany(alice, 'bob', 1, 'kept');
  await cluster.settled();
  await cluster.end('archive', 'SIGKILL');
  await sendMany(alice, 'bob', 1, 'lost');
  const lostAt = alice.all('accepted').at(-1)!.message.at;
  const second = await wipedUnder(alice);
  await cluster.start('archive');
  await sendMany(second, 'bob', 1, 'between');
  const history = openSqliteStore(join(cluster.dir, 'history.db'), { readOnly: true });
  // Of partitions in which nothing happens too, history soon has everything up to now.
  await vi.waitFor(
    async () =>
      expect((await history.progress()).filter(({ completeAt }) => completeAt > lostAt)).toHaveLength(
        cluster.keys.partitions,
      ),
    { timeout: 20_000 },
  );
  await history.close();
  const third = await wipedUnder(second);
  expect(third.welcome.lostSince).toBeGreaterThan(lostAt);
  for (const known of [epoch, undefined, 'another']) {
    const device = await cluster.connect('alice', {
      device: `of-${known}`,
      position: 9_999_999_999,
      ...(known === undefined ? {} : { epoch: known }),
    });
    expect(device.welcome).toMatchObject({ reset: true, lostSince: second.welcome.lostSince });
    expect(device.welcome.lostSince).toBeLessThanOrEqual(lostAt);
  }
  const current = await cluster.connect('alice', { device: 'current', epoch: third.welcome.epoch });
  expect(current.welcome.reset).toBeUndefined();
});
