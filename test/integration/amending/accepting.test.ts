import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { edit, groupOf, readAll, recall, refused, say } from '../../support/amending.ts';
import { type Cluster, startCluster, type Welcomed } from '../../support/cluster.ts';
import { apiOf, refusal } from '../../support/http-client.ts';

/** Which amends are accepted, what they are answered with, and what they are refused for. */

let cluster: Cluster;
let alice: Welcomed;
let bob: Welcomed;
beforeAll(async () => {
  cluster = await startCluster({ gateways: 2, env: { MAX_BODY_BYTES: '2000' } });
  alice = await cluster.connect(cluster.user('alice'));
  bob = await cluster.connect(cluster.user('bob'), { gateway: 2 });
});
afterAll(() => cluster.stop());

const service = (): string => cluster.token('backend', { scope: 'service' });

test('welcome says that messages can be amended, and for how long', () => {
  expect(alice.welcome.features).toContain('amend');
  expect(alice.welcome.limits).toMatchObject({ recallWithinMs: 86_400_000, editWithinMs: 86_400_000 });
});

test('an edit is seen at once, at another gateway as well', async () => {
  const to = { to: bob.welcome.user };
  const seq = await say(alice, to, { text: 'at 9' });
  const [before] = await readAll(alice, to);
  const amended = await edit(alice, to, seq, { text: 'at 10' });
  expect(amended).toMatchObject({ seq, action: 'edit', by: alice.welcome.user, version: 1, amendSeq: seq + 1 });
  expect(amended.duplicate).toBeUndefined();
  const { conversation, action, by, at, version, amendSeq } = amended;
  const [message, amendment] = await readAll(bob, { to: alice.welcome.user });
  const now = { action, by, at, version, amendSeq };
  expect(message).toEqual({ ...before, body: { text: 'at 10' }, amended: now });
  expect(Object.keys(message!).at(-1)).toBe('amended');
  const body = { seq, action: 'edit', version: 1, body: { text: 'at 10' } };
  expect(amendment).toMatchObject({ conversation, seq: amendSeq, sender: by, at, kind: 'restante.amend', body });
});

test('a recalled message is null, and its edits are superseded', async () => {
  const to = { to: bob.welcome.user };
  const seq = await say(alice, to, 'secret', { class: 'important' });
  await edit(alice, to, seq, 'less secret');
  const { amendSeq } = await recall(alice, to, seq);
  const all = await readAll(bob, { to: alice.welcome.user });
  const read = all.slice(-3);
  expect(JSON.stringify(all)).not.toContain('secret');
  expect(read.map(({ body }) => body)).toEqual([
    null,
    { seq, action: 'edit', version: 1, superseded: true },
    { seq, action: 'recall', version: 2 },
  ]);
  expect(read[0]!.amended).toMatchObject({ action: 'recall', version: 2, amendSeq });
  expect(read.map((message) => message.class)).toEqual(['important', 'important', 'important']);
});

describe('the same again', () => {
  test('is answered with what is in force, without and with a clientId', async () => {
    const to = { to: bob.welcome.user };
    const seq = await say(alice, to, 'one');
    const first = await edit(alice, to, seq, 'two');
    const { re: _, ...same } = await edit(alice, to, seq, 'two');
    expect(same).toEqual({ ...first, re: undefined, duplicate: true, type: 'amended' });
    const named = await edit(alice, to, seq, 'three', { clientId: 'three' });
    await edit(alice, to, seq, 'four');
    for (let i = 0; i < 2; i++) {
      const again = await edit(alice, to, seq, 'three', { clientId: 'three' });
      expect(again).toMatchObject({ amendSeq: named.amendSeq, version: 2, duplicate: true });
    }
    const [, , , , last] = (await readAll(alice, to)).slice(-5);
    expect(last!.seq).toBe(named.amendSeq + 1);
    const gone = await recall(alice, to, seq);
    expect(await recall(alice, to, seq, { clientId: 'gone' })).toMatchObject({
      amendSeq: gone.amendSeq,
      duplicate: true,
    });
  });

  test('of what the message already says makes no version', async () => {
    const to = { to: bob.welcome.user };
    const seq = await say(alice, to, { a: 1, b: [] });
    expect(await edit(alice, to, seq, { a: 1, b: [] })).toMatchObject({ version: 0, amendSeq: 0, duplicate: true });
    expect(await edit(alice, to, seq, { b: [], a: 1 })).toMatchObject({ version: 1 });
  });

  test('with a clientId of something else is a conflict, also of a send', async () => {
    const to = { to: bob.welcome.user };
    const seq = await say(alice, to, 'one', { clientId: 'sent' });
    await edit(alice, to, seq, 'two', { clientId: 'edited' });
    expect(await refused(alice, to, seq, { action: 'edit', body: 'x', clientId: 'sent' })).toBe('conflict');
    expect(await refused(alice, to, seq, { action: 'edit', body: 'x', clientId: 'edited' })).toBe('conflict');
    expect(await refused(alice, to, seq, { action: 'recall', clientId: 'edited' })).toBe('conflict');
    const send = { type: 'send', ...to, clientId: 'edited', kind: 'text', body: 'two' };
    expect(await alice.request(send, 'error')).toMatchObject({ code: 'conflict' });
    // Another sender's clientIds are its own.
    const his = await say(bob, { to: alice.welcome.user }, 'his');
    expect(await edit(bob, { to: alice.welcome.user }, his, 'his own', { clientId: 'edited' })).toMatchObject({
      version: 1,
    });
  });

  test('with the version that it has replaced is the same', async () => {
    const to = { to: bob.welcome.user };
    const seq = await say(alice, to, 'one');
    const first = await edit(alice, to, seq, 'two', { ifVersion: 0 });
    expect(await edit(alice, to, seq, 'two', { ifVersion: 0 })).toMatchObject({
      amendSeq: first.amendSeq,
      duplicate: true,
    });
    expect(await refused(alice, to, seq, { action: 'edit', body: 'three', ifVersion: 0 })).toBe('conflict');
    expect(await edit(alice, to, seq, 'three', { ifVersion: 1 })).toMatchObject({ version: 2 });
    expect(await refused(alice, to, seq, { action: 'edit', body: 'three', ifVersion: 0 })).toBe('conflict');
  });
});

describe('who may', () => {
  test('the sender; the creator of a group may recall, and a back end may anything', async () => {
    const [owner, carol] = [await cluster.connect(cluster.user('owner')), await cluster.connect(cluster.user('carol'))];
    const id = await groupOf(cluster, owner.welcome.user, alice.welcome.user, carol.welcome.user);
    const on = { conversation: id };
    const seq = await say(alice, on, 'mine');
    expect(await refused(carol, on, seq, { action: 'edit', body: 'hers' })).toBe('forbidden');
    expect(await refused(carol, on, seq, { action: 'recall' })).toBe('forbidden');
    expect(await refused(owner, on, seq, { action: 'edit', body: 'his' })).toBe('forbidden');
    expect(await refused(bob, on, seq, { action: 'recall' })).toBe('not_found');
    const api = apiOf(cluster, service());
    const path = `/conversations/${id}/messages/${seq}/amend`;
    const edited = await api('POST', path, { action: 'edit', body: 'of the house' });
    expect([edited.status, edited.body['by'], edited.body['version']]).toEqual([200, 'backend', 1]);
    const named = await api('POST', path, { action: 'edit', body: 'again', sender: 'newsroom' });
    expect([named.status, named.body['by'], named.body['version']]).toEqual([200, 'newsroom', 2]);
    expect(await recall(owner, on, seq)).toMatchObject({ by: owner.welcome.user, version: 3 });
    // The sender is told of the recall in force, and no longer edits.
    expect(await recall(alice, on, seq)).toMatchObject({ by: owner.welcome.user, duplicate: true });
    expect(await refused(alice, on, seq, { action: 'edit', body: 'back' })).toBe('conflict');
    expect((await readAll(carol, on))[0]).toMatchObject({ body: null, amended: { action: 'recall' } });
  });

  test('nobody amends what is of the server, not there, or not visible', async () => {
    const [dora, erin] = [await cluster.connect(cluster.user('dora')), await cluster.connect(cluster.user('erin'))];
    const id = await groupOf(cluster, dora.welcome.user, alice.welcome.user);
    const on = { conversation: id };
    const seq = await say(dora, on, 'early');
    const members = `/conversations/${id}/members/${erin.welcome.user}`;
    const joined = await cluster.http(cluster.token(dora.welcome.user), 'PUT', members);
    expect(joined.status).toBe(204);
    expect(await refused(dora, on, seq + 1, { action: 'recall' })).toBe('forbidden');
    const { amendSeq } = await edit(dora, on, seq, 'later');
    expect(await refused(dora, on, amendSeq, { action: 'recall' })).toBe('forbidden');
    expect(await refused(dora, on, amendSeq + 1, { action: 'recall' })).toBe('not_found');
    expect(await refused(erin, on, seq, { action: 'recall' })).toBe('not_found');
    const own = await say(erin, on, 'hello');
    expect((await cluster.http(cluster.token(erin.welcome.user), 'DELETE', members)).status).toBe(204);
    expect(await refused(erin, on, own, { action: 'recall' })).toBe('not_found');
    expect(await refused(erin, { to: cluster.user('nobody') }, 1, { action: 'recall' })).toBe('not_found');
  });

  test("a back end is the creator of nobody's messages, and of no group", async () => {
    const user = alice.welcome.user;
    const id = cluster.user('group');
    const made = await cluster.http(service(), 'POST', `/conversations?user=${user}`, {
      id,
      members: [bob.welcome.user],
    });
    expect(made.status).toBe(201);
    const seq = await say(bob, { conversation: id }, 'his');
    expect(await refused(alice, { conversation: id }, seq, { action: 'recall' })).toBe('forbidden');
  });
});

describe('bad amends', () => {
  const bad: [string, object, string][] = [
    ['an edit without a body', { action: 'edit' }, 'bad_request'],
    ['a recall with a body', { action: 'recall', body: null }, 'bad_request'],
    ['another action', { action: 'erase' }, 'bad_request'],
    ['a negative version', { action: 'recall', ifVersion: -1 }, 'bad_request'],
    ['a clientId that is none', { action: 'recall', clientId: 'a b' }, 'bad_request'],
    ['a level that cannot be given', { action: 'recall', level: 'durable' }, 'bad_request'],
    ['a body that is too large', { action: 'edit', body: 'x'.repeat(2000) }, 'too_large'],
    ['both targets', { action: 'recall', conversation: 'x' }, 'bad_request'],
  ];
  test.each(bad)('%s', async (_, amend, code) => {
    const to = { to: bob.welcome.user };
    const seq = await say(alice, to, 'one');
    expect(await refused(alice, to, seq, amend)).toBe(code);
    expect((await readAll(alice, to)).at(-1)).toMatchObject({ seq, body: 'one' });
  });

  test('a seq that is none, and no target', async () => {
    expect(await refused(alice, { to: 'bob' }, 0, { action: 'recall' })).toBe('bad_request');
    expect(await refused(alice, { to: 'bob' }, 1.5, { action: 'recall' })).toBe('bad_request');
    expect(await refused(alice, {}, 1, { action: 'recall' })).toBe('bad_request');
  });

  test('by HTTP, with the same codes', async () => {
    const api = apiOf(cluster, cluster.token(alice.welcome.user));
    const to = { to: bob.welcome.user };
    const seq = await say(alice, to, 'one');
    const { conversation } = await alice.request({ type: 'history', ...to, limit: 1 }, 'history');
    const amend = (body: object, at: number | string = seq) =>
      api('POST', `/conversations/${conversation}/messages/${at}/amend`, body).then(refusal);
    expect(await amend({ action: 'edit' })).toEqual([400, 'bad_request']);
    expect(await amend({ action: 'recall' }, 0)).toEqual([400, 'bad_request']);
    expect(await amend({ action: 'recall' }, 'x')).toEqual([400, 'bad_request']);
    expect(await amend({ action: 'recall' }, seq + 1)).toEqual([404, 'not_found']);
    expect(await amend({ action: 'recall', sender: bob.welcome.user })).toEqual([403, 'forbidden']);
    expect(await amend({ action: 'edit', body: 'x'.repeat(2000) })).toEqual([413, 'too_large']);
    expect(await amend({ action: 'edit', body: 2, ifVersion: 3 })).toEqual([409, 'conflict']);
    const gone = await api('POST', `/conversations/${conversation}/messages/${seq}/amend`, { action: 'recall' });
    expect([gone.status, gone.body['version'], gone.body['level']]).toEqual([200, 1, 'accepted']);
    expect(await amend({ action: 'edit', body: 2 })).toEqual([409, 'conflict']);
    const one = await api('GET', `/conversations/${conversation}/messages/${seq}`);
    expect(one.body['message']).toMatchObject({ seq, body: null, amended: { action: 'recall', version: 1 } });
    expect(refusal(await api('GET', `/conversations/${conversation}/messages/${seq + 2}`))).toEqual([404, 'not_found']);
  });
});

test('level stored: when the answer comes, history has it, and nothing waits meanwhile', async () => {
  const to = { to: bob.welcome.user };
  const seq = await say(alice, to, 'one');
  const amended = await edit(alice, to, seq, 'two', { level: 'stored' });
  expect(amended.level).toBe('stored');
  expect(await edit(alice, to, seq, 'two', { level: 'stored' })).toMatchObject({ level: 'stored', duplicate: true });
});
