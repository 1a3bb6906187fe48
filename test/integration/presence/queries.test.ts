import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { PresenceOverview } from '../../../gateway/admin/presence.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { apiOf, refusal } from '../../support/http-client.ts';
import { sendTo } from '../../support/pair.ts';

/** Questions about presence: exact at their moment, and one answer for everybody who may not be seen. */

const adminToken = 'an-admin-token-of-today';
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, archive: false, env: { ADMIN_TOKEN: adminToken } });
});
afterAll(() => cluster.stop());

const unseen = { online: false, lastSeen: null };

const ask = async (device: Welcomed, ...users: string[]) =>
  (await device.request({ type: 'presence', users }, 'presence')).users;
const until = (device: Welcomed, user: string, online: boolean, withinMs = 1000) =>
  vi.waitFor(async () => expect((await ask(device, user))[user]!.online).toBe(online), {
    timeout: withinMs,
    interval: 20,
  });

/** Two users who have both written to each other; the second is connected to the other gateway. */
async function acquainted(): Promise<{ alice: Welcomed; bob: Welcomed; a: string; b: string }> {
  const alice = await cluster.connect(cluster.user('alice'));
  const bob = await cluster.connect(cluster.user('bob'), { gateway: 2 });
  const [a, b] = [alice.welcome.user, bob.welcome.user];
  await alice.request(sendTo(b, 'hello', 1), 'accepted');
  await bob.request(sendTo(a, 'hello', 1), 'accepted');
  return { alice, bob, a, b };
}
const service = () => cluster.token('backend', { scope: 'service' });

test('the feature and its limits are in welcome', async () => {
  const { welcome } = await cluster.connect(cluster.user('alice'));
  expect(welcome.features).toEqual(expect.arrayContaining(['presence', 'typing']));
  expect(welcome.limits).toMatchObject({ presenceUsers: 200, typingEveryMs: 3000 });
});

test('is exact: who connects and who closes, within a second', async () => {
  const { alice, bob, b } = await acquainted();
  expect((await ask(alice, b))[b]!.online).toBe(true);
  await bob.close();
  const closedAt = Date.now();
  await until(alice, b, false);
  const { lastSeen } = (await ask(alice, b))[b]!;
  expect(Math.abs(lastSeen! - closedAt)).toBeLessThan(2000);
  await cluster.connect(b, { gateway: 2 });
  await until(alice, b, true);
});

test('nobody can tell the strange, the unknown and the unanswered apart', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const [stranger, unanswered] = [cluster.user('stranger'), cluster.user('unanswered')];
  await Promise.all([stranger, unanswered].map((user) => cluster.connect(user)));
  await alice.request(sendTo(unanswered, 'hello', 1), 'accepted');
  const users = [stranger, 'nobody_there', unanswered, '__proto__'];
  expect(Object.entries(await ask(alice, ...users))).toEqual(
    // JSON.parse makes a field of its own of this name too.
    expect.arrayContaining([stranger, 'nobody_there', unanswered].map((user) => [user, unseen])),
  );
  expect(alice.texts.at(-1)).toContain('"__proto__":{"online":false,"lastSeen":null}');
  // The one who was written to may not see the writer either.
  const other = await cluster.connect(unanswered, { device: 'second' });
  expect(await ask(other, alice.welcome.user)).toEqual({ [alice.welcome.user]: unseen });
});

test('members of one group see each other, until one leaves', async () => {
  const [a, b] = [cluster.user('alice'), cluster.user('bob')];
  const [alice] = await Promise.all([cluster.connect(a), cluster.connect(b)]);
  expect(
    await cluster.http(cluster.token(a), 'POST', '/conversations', { id: `${a}-group`, members: [b] }),
  ).toMatchObject({ status: 201 });
  await cluster.settled('inbox');
  await until(alice, b, true);
  expect(await cluster.http(cluster.token(b), 'DELETE', `/conversations/${a}-group/members/${b}`)).toMatchObject({
    status: 204,
  });
  await cluster.settled('inbox');
  // Gateway 1 remembers the answer for a minute; the other one has never asked.
  const elsewhere = await cluster.connect(a, { device: 'laptop', gateway: 2 });
  expect(await ask(elsewhere, b)).toEqual({ [b]: unseen });
});

test('members of a group of more than 1,000 are strangers', async () => {
  const [a, b] = [cluster.user('alice'), cluster.user('bob')];
  const alice = await cluster.connect(a);
  await cluster.connect(b);
  const crowd = Array.from({ length: 999 }, (_, i) => `crowd_${i}`);
  const made = await cluster.http(service(), 'POST', '/conversations', { id: `${a}-crowd`, members: [a, b, ...crowd] });
  expect(made.status).toBe(201);
  await cluster.settled('inbox');
  expect(await ask(alice, b)).toEqual({ [b]: unseen });
  // One fewer, and they know each other: at the gateway that has not asked yet.
  await cluster.http(service(), 'DELETE', `/conversations/${a}-crowd/members/crowd_0`);
  await cluster.settled('inbox');
  const elsewhere = await cluster.connect(a, { device: 'laptop', gateway: 2 });
  await until(elsewhere, b, true);
});

test('one sees oneself', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  expect((await ask(alice, alice.welcome.user))[alice.welcome.user]).toMatchObject({ online: true });
});

describe('GET /v1/presence', () => {
  test('answers a user as the frame does, and a service about everybody', async () => {
    const { a, b } = await acquainted();
    const strange = cluster.user('stranger');
    await cluster.connect(strange);
    const { body } = await apiOf(cluster, cluster.token(a))('GET', `/presence?users=${b},${strange}`);
    expect(body).toEqual({ users: { [b]: { online: true, lastSeen: expect.any(Number) }, [strange]: unseen } });
    const all = await apiOf(cluster, service())('GET', `/presence?users=${b},${strange}`);
    expect(all.body['users']).toMatchObject({ [b]: { online: true }, [strange]: { online: true } });
    const asAlice = await apiOf(cluster, service())('GET', `/presence?users=${strange}&user=${a}`);
    expect(asAlice.body).toEqual({ users: { [strange]: unseen } });
  });

  test.each([
    '',
    '?users=',
    '?users=a,,b',
    '?users=a%20b',
    `?users=${Array.from({ length: 201 }, (_, i) => `u${i}`).join(',')}`,
  ])('refuses %s', async (query) => {
    expect(refusal(await apiOf(cluster, cluster.token('alice'))('GET', `/presence${query.slice(0, 2000)}`))).toEqual([
      400,
      'bad_request',
    ]);
  });
});

test.each([
  [{ users: [] }, 'bad_request'],
  [{ users: Array.from({ length: 201 }, (_, i) => `u${i}`) }, 'bad_request'],
  [{ users: ['a b'] }, 'bad_request'],
  [{ users: ['a'], watch: 'yes' }, 'bad_request'],
  [{}, 'bad_request'],
])('refuses %o', async (fields, code) => {
  const alice = await cluster.connect(cluster.user('alice'));
  expect((await alice.request({ type: 'presence', ...fields }, 'error')).code).toBe(code);
});

test('operators see how many are online and watched', async () => {
  const { alice, b } = await acquainted();
  await alice.request({ type: 'presence', users: [b], watch: true }, 'presence');
  const url = `${cluster.url().replace(/^ws/, 'http').replace('/v1/ws', '')}/admin/api/presence`;
  const counts = async () =>
    (await (await fetch(url, { headers: { authorization: `Bearer ${adminToken}` } })).json()) as PresenceOverview;
  const found = async () => {
    const now = await counts();
    expect([now.gateways.length, now.watches > 0]).toEqual([2, true]);
    return now;
  };
  const { gateways, ...all } = await vi.waitFor(found, { timeout: 6000 });
  expect(all.users).toBe(gateways[0]!.users + gateways[1]!.users);
  expect(all.users).toBeGreaterThanOrEqual(2);
  expect(all.watched).toBeLessThanOrEqual(all.watches);
});

test('a connection watches at most 200 users', async () => {
  const alice = await cluster.connect(cluster.user('alice'));
  const users = Array.from({ length: 200 }, (_, i) => `watched_${i}`);
  await alice.request({ type: 'presence', users, watch: true }, 'presence');
  const more = { type: 'presence', users: ['one_more'], watch: true };
  expect(await alice.request(more, 'error')).toMatchObject({ code: 'rate_limited', retryable: true });
  await alice.request({ type: 'presence', users: users.slice(0, 1), watch: false }, 'presence');
  await alice.request(more, 'presence');
});
