import { afterEach, beforeEach, expect, test } from 'vitest';
import { edit, groupOf, readAll, recall, refused, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { snapshot } from '../../support/older-redis.ts';
import { patiently } from '../../support/patiently.ts';
import { createUnloader } from '../../support/unloading.ts';
import { untilAnswered } from '../../support/until-answered.ts';

/** Amends after Redis has lost what it knew, or has put it away. */

let cluster: Cluster;
let alice: Welcomed;
let bob: string;
beforeEach(async () => {
  cluster = await startCluster();
  alice = await cluster.connect(cluster.user('alice'), { mode: 'pull' });
  bob = cluster.user('bob');
});
afterEach(() => cluster.stop());

async function loseRedis(): Promise<void> {
  await cluster.settled();
  await cluster.wipe();
  alice = await patiently(cluster, alice.welcome.user, { mode: 'pull' });
}

/** Storage is being opened for a moment after the loss. */
const patientEdit: typeof edit = (...amend) => untilAnswered(() => edit(...amend));

test('a repeated amend is answered from history, in force or not, and no amendSeq comes again', async () => {
  const to = { to: bob };
  const seq = await say(alice, to, 'one', { clientId: 'sent' });
  const first = await edit(alice, to, seq, 'two', { clientId: 'second' });
  const last = await edit(alice, to, seq, 'three', { clientId: 'third' });
  await loseRedis();
  const again = await patientEdit(alice, to, seq, 'three', { clientId: 'third' });
  expect(again).toEqual({ ...last, re: again.re, duplicate: true });
  // Its body is gone: whatever comes with its clientId is taken for it, and changes nothing.
  expect(await edit(alice, to, seq, 'two', { clientId: 'second' })).toMatchObject({
    amendSeq: first.amendSeq,
    version: 1,
    at: first.at,
    duplicate: true,
  });
  expect(await refused(alice, to, seq, { action: 'edit', body: 'other', clientId: 'third' })).toBe('conflict');
  expect(await refused(alice, to, seq, { action: 'recall', clientId: 'second' })).toBe('conflict');
  expect(await refused(alice, to, seq, { action: 'edit', body: 'other', clientId: 'sent' })).toBe('conflict');
  expect(await edit(alice, to, seq, 'three')).toMatchObject({ amendSeq: last.amendSeq, duplicate: true });
  const next = await edit(alice, to, seq, 'four');
  expect(next.version).toBe(3);
  expect(next.amendSeq).toBeGreaterThan(1_000_000);
  const all = await readAll(alice, to);
  expect(all.map(({ body }) => body)).toEqual([
    'four',
    { seq, action: 'edit', version: 1, superseded: true },
    { seq, action: 'edit', version: 2, superseded: true },
    { seq, action: 'edit', version: 3, body: 'four' },
  ]);
});

test('an amendment that was lost comes again under the same version, and a recall stays final', async () => {
  const to = { to: bob };
  const [kept, gone] = [await say(alice, to, 'kept'), await say(alice, to, 'gone')];
  await recall(alice, to, gone);
  await cluster.settled();
  await cluster.end('archive-1');
  const lost = await edit(alice, to, kept, 'lost');
  await cluster.wipe();
  alice = await patiently(cluster, alice.welcome.user, { mode: 'pull' });
  await cluster.start('archive-1');
  const again = await patientEdit(alice, to, kept, 'again');
  expect(again.version).toBe(lost.version);
  expect(again.amendSeq).toBeGreaterThan(lost.amendSeq);
  expect(await refused(alice, to, gone, { action: 'edit', body: 'back' })).toBe('conflict');
  expect((await readAll(alice, to)).slice(0, 2).map(({ body }) => body)).toEqual(['again', null]);
});

test('the creator of a group is known after a loss, and after the group was put away', async () => {
  const id = await groupOf(cluster, alice.welcome.user, bob);
  const on = { conversation: id };
  const his = await cluster.connect(bob, { mode: 'pull' });
  const [first, second] = [await say(his, on, 'one'), await say(his, on, 'two')];
  await edit(his, on, second, 'three');
  await cluster.settled();
  const unloader = createUnloader(cluster);
  try {
    await unloader.unload(id);
  } finally {
    await unloader.close();
  }
  expect((await readAll(alice, on)).map(({ body }) => body)).toContain('three');
  expect(await recall(alice, on, first)).toMatchObject({ by: alice.welcome.user, version: 1 });
  await loseRedis();
  const gone = await untilAnswered(() => recall(alice, on, second));
  expect(gone).toMatchObject({ by: alice.welcome.user, version: 2 });
  expect((await readAll(alice, on)).slice(0, 2).map(({ body }) => body)).toEqual([null, null]);
});

test('what was noted may be forgotten at any time: then the message is looked up', async () => {
  const to = { to: bob };
  const seq = await say(alice, to, 'one');
  const { conversation } = await alice.request({ type: 'history', ...to, limit: 1 }, 'history');
  const notes = cluster.keys.notes(cluster.keys.partitionOf(conversation), conversation);
  for (const settled of [false, true, false, true]) {
    const before = await edit(alice, to, seq, `settled ${settled} ${Math.random()}`, {
      clientId: `${Math.random()}`.slice(2),
    });
    if (settled) await cluster.settled();
    expect(await cluster.redis.del(notes)).toBe(1);
    const { body } = (await readAll(alice, to))[0]!;
    expect(await edit(alice, to, seq, body)).toMatchObject({ amendSeq: before.amendSeq, duplicate: true });
    expect(await cluster.redis.exists(notes)).toBe(0);
    expect((await edit(alice, to, seq, `next to ${String(body)}`)).version).toBe(before.version + 1);
  }
});

test('a recall that history alone knows is in force over a message that Redis still has to archive', async () => {
  const to = { to: bob };
  await cluster.end('archive');
  const [gone, changed] = [await say(alice, to, 'gone'), await say(alice, to, 'changed')];
  const restore = await snapshot(cluster);
  await cluster.start('archive');
  await recall(alice, to, gone);
  await edit(alice, to, changed, 'new');
  await cluster.settled();
  for (const line of ['web', 'fanout', 'archive']) await cluster.end(line);
  await restore();
  for (const line of ['web', 'fanout']) await cluster.start(line);
  alice = await patiently(cluster, alice.welcome.user, { mode: 'pull' });
  const bodies = async () => (await readAll(alice, to)).slice(0, 2).map(({ body }) => body);
  expect(await untilAnswered(bodies)).toEqual([null, 'new']);
  expect(await refused(alice, to, gone, { action: 'edit', body: 'back' })).toBe('conflict');
  await cluster.start('archive');
  await cluster.settled('history');
  expect(await bodies()).toEqual([null, 'new']);
});
