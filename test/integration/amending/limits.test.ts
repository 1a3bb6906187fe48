import { afterAll, beforeAll, expect, test } from 'vitest';
import { edit, groupOf, recall, refused, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { openDevice } from '../../support/device.ts';
import { apiOf } from '../../support/http-client.ts';

/** How long and how often messages may be amended. */

let cluster: Cluster;
let alice: Welcomed;
beforeAll(async () => {
  cluster = await startCluster({ env: { RECALL_MINUTES: '1', EDIT_MINUTES: '2', SEND_RATE_PER_USER: '5' } });
  alice = await cluster.connect(cluster.user('alice'), { mode: 'pull' });
});
afterAll(() => cluster.stop());

const notesOf = (id: string): string => cluster.keys.notes(cluster.keys.partitionOf(id), id);

/** Makes a message older by this many minutes, as Redis has noted it. An amend has noted it before. */
async function age(id: string, seq: number, minutes: number): Promise<void> {
  const words = (await cluster.redis.hget(notesOf(id), `a ${seq}`))!.split(' ');
  words[7] = String(Number(words[7]) - minutes * 60_000);
  await cluster.redis.hset(notesOf(id), `a ${seq}`, words.join(' '));
}

test('a sender recalls and edits in time; a creator and a back end at any time', async () => {
  const bob = await cluster.connect(cluster.user('bob'), { mode: 'pull' });
  const id = await groupOf(cluster, alice.welcome.user, bob.welcome.user);
  const on = { conversation: id };
  expect(bob.welcome.limits).toMatchObject({ recallWithinMs: 60_000, editWithinMs: 120_000 });
  const seq = await say(bob, on, 'one');
  const first = await edit(bob, on, seq, 'two');
  await age(id, seq, 1.1);
  expect(await refused(bob, on, seq, { action: 'recall' })).toBe('forbidden');
  expect(await edit(bob, on, seq, 'three')).toMatchObject({ version: 2 });
  await age(id, seq, 1);
  expect(await refused(bob, on, seq, { action: 'edit', body: 'four' })).toBe('forbidden');
  // The answer may have been lost: what is in force is the same at any time.
  expect(await edit(bob, on, seq, 'three')).toMatchObject({ version: 2, duplicate: true });
  expect(first.version).toBe(1);
  const service = apiOf(cluster, cluster.token('backend', { scope: 'service' }));
  const path = `/conversations/${id}/messages/${seq}/amend`;
  expect((await service('POST', path, { action: 'edit', body: 'five' })).body).toMatchObject({ version: 3 });
  expect(await recall(alice, on, seq)).toMatchObject({ version: 4 });
});

test('a message is edited a thousand times, and then recalled', async () => {
  const id = await groupOf(cluster, alice.welcome.user);
  const on = { conversation: id };
  const seq = await say(alice, on, 'first');
  await edit(alice, on, seq, 'second');
  const words = (await cluster.redis.hget(notesOf(id), `a ${seq}`))!.split(' ');
  await cluster.redis.hset(notesOf(id), `a ${seq}`, ['999', ...words.slice(1)].join(' '));
  expect(await edit(alice, on, seq, 'last')).toMatchObject({ version: 1000 });
  expect(await refused(alice, on, seq, { action: 'edit', body: 'one more' })).toBe('too_large');
  expect(await edit(alice, on, seq, 'last')).toMatchObject({ version: 1000, duplicate: true });
  expect(await recall(alice, on, seq)).toMatchObject({ version: 1001 });
});

test('amends count as sends: a flood of them is refused', async () => {
  const eve = cluster.user('eve');
  const flood = await cluster.connect(eve, { mode: 'pull' });
  const to = { to: cluster.user('frank') };
  const seq = await say(flood, to, 0);
  for (let i = 1; i <= 60; i++) flood.send({ type: 'amend', id: `f${i}`, ...to, seq, action: 'edit', body: i });
  await flood.until('a refusal', () => flood.all('error').some(({ code }) => code === 'rate_limited'));
  const [refusal] = flood.all('error').filter(({ code }) => code === 'rate_limited');
  expect(refusal).toMatchObject({ retryable: true });
  expect(refusal!.retryAfterMs).toBeGreaterThan(0);
  // Sends of the same user are refused as well: they share the budget.
  const answered = await cluster.http(cluster.token(eve), 'POST', '/messages', {
    ...to,
    clientId: 'x',
    kind: 'text',
    body: 1,
  });
  expect([201, 429]).toContain(answered.status);
  expect(flood.all('amended').length).toBeLessThan(60);
});

test('before hello an amend closes the socket', async () => {
  const device = await openDevice(cluster.url());
  device.send({ type: 'amend', to: 'bob', seq: 1, action: 'recall' });
  expect((await device.closed).code).toBe(4401);
});
