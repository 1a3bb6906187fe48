import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type Api, apiOf, type Conversation, refusal, textTo } from '../../support/http-client.ts';
import { conversationIn, create, listed, people, usersOf } from './conversation-calls.ts';

let cluster: Cluster;
let service: Api;
beforeAll(async () => {
  cluster = await startCluster();
  service = apiOf(cluster, cluster.token('shop', { scope: 'service' }));
});
afterAll(() => cluster.stop());

describe('POST /conversations', () => {
  test('creates a group with its creator as a member', async () => {
    const [alice, bob] = people(cluster, 'alice', 'bob');
    const reply = await alice!.api('POST', '/conversations', {
      members: [bob!.user, bob!.user, alice!.user, bob!.user],
      name: 'Tea',
    });
    expect(reply.status).toBe(201);
    expect(reply.body).toEqual({
      id: expect.stringMatching(/^g_[A-Za-z0-9_-]{22}$/),
      kind: 'group',
      name: 'Tea',
      members: expect.arrayContaining([
        { user: alice!.user, joinedSeq: 0 },
        { user: bob!.user, joinedSeq: 0 },
      ]),
      memberCount: 2,
      lastSeq: 0,
      readSeq: 0,
      unread: 0,
      last: null,
      createdAt: expect.any(Number),
    });
    expect(conversationIn(reply).members).toHaveLength(2);
    expect((await bob!.api('GET', `/conversations/${conversationIn(reply).id}`)).body).toEqual(reply.body);
  });

  test('the creator alone, without a name', async () => {
    const [alice] = people(cluster, 'alice');
    for (const fields of [{ members: [] }, { members: [], name: null }, { members: [alice!.user] }]) {
      expect(await create(alice!.api, fields)).toMatchObject({
        name: null,
        memberCount: 1,
        members: [{ user: alice!.user, joinedSeq: 0 }],
      });
    }
  });

  test('answers 200 to the same id and members, and conflict to other members', async () => {
    const [alice, bob, carol] = people(cluster, 'alice', 'bob', 'carol');
    const id = cluster.user('group');
    const first = await create(alice!.api, { id, members: [bob!.user], name: 'Tea' });
    expect(first.id).toBe(id);
    const again = await alice!.api('POST', '/conversations', { id, members: [alice!.user, bob!.user], name: 'Tea' });
    expect([again.status, again.body]).toEqual([200, first]);
    expect(refusal(await alice!.api('POST', '/conversations', { id, members: [] }))).toEqual([409, 'conflict']);
    expect(refusal(await alice!.api('POST', '/conversations', { id, members: [carol!.user] }))).toEqual([
      409,
      'conflict',
    ]);
    expect(refusal(await carol!.api('POST', '/conversations', { id, members: [alice!.user, bob!.user] }))).toEqual([
      409,
      'conflict',
    ]);
    expect(refusal(await carol!.api('GET', `/conversations/${id}`))).toEqual([404, 'not_found']);
  });

  test.each([
    ['no members', {}],
    ['members that are a text', { members: 'bob' }],
    ['a member that is no id', { members: ['a b'] }],
    ['a member with a brace', { members: ['}}a'] }],
    ['a member that is an operator', { members: [{ $gt: '' }] }],
    ['a member of a lone surrogate', { members: ['\udfff'] }],
    ['the id of a direct conversation', { members: [], id: 'd_x' }],
    ['an id that is none', { members: [], id: 'a:b' }],
    ['an empty id', { members: [], id: '' }],
    ['a name that is a number', { members: [], name: 1 }],
    ['a name that is too long', { members: [], name: 'x'.repeat(257) }],
    ['a name that is not well-formed', { members: [], name: '\ud800' }],
    ['a name with NUL', { members: [], name: 'a\0' }],
  ])('refuses %s as bad_request', async (_what, fields) => {
    const [alice] = people(cluster, 'alice');
    expect(refusal(await alice!.api('POST', '/conversations', fields))).toEqual([400, 'bad_request']);
  });

  test('a service token is no member, so it must name one', async () => {
    const [alice, bob] = people(cluster, 'alice', 'bob');
    const made = await create(service, { members: [alice!.user, bob!.user], name: 'Order 7' });
    expect(usersOf(made)).toEqual([alice!.user, bob!.user].sort());
    expect(made).toMatchObject({ unread: 0, memberCount: 2 });
    expect(refusal(await service('POST', '/conversations', { members: [] }))).toEqual([400, 'bad_request']);
    expect(await create(service, { members: ['shop'] })).toMatchObject({ memberCount: 1, members: [{ user: 'shop' }] });
    const acting = await service('POST', `/conversations?user=${alice!.user}`, { members: [] });
    expect([acting.status, usersOf(conversationIn(acting))]).toEqual([201, [alice!.user]]);
    expect(refusal(await alice!.api('POST', `/conversations?user=${bob!.user}`, { members: [] }))).toEqual([
      403,
      'forbidden',
    ]);
  });

  test('holds 100,000 members and no more', { timeout: 90_000 }, async () => {
    const [alice] = people(cluster, 'alice');
    const many = Array.from({ length: 100_000 }, (_, i) => `member_with_quite_a_long_name_${i}`);
    expect(refusal(await alice!.api('POST', '/conversations', { members: many }))).toEqual([413, 'too_large']);
    const full = await create(alice!.api, { members: many.slice(1) });
    expect(full.memberCount).toBe(100_000);
    // Above 1,000 members the list of them has its own route.
    expect(full.members).toBeUndefined();
    expect(refusal(await alice!.api('PUT', `/conversations/${full.id}/members/${many[0]}`))).toEqual([
      413,
      'too_large',
    ]);
    // The other conversations of its partition wait until 100,000 inboxes know of it: some seconds, or many
    // on a busy machine.
    await vi.waitFor(() => cluster.settled('inbox'), 45_000);
  });
});

describe('GET /conversations', () => {
  test('lists newest first, in pages, without members', async () => {
    const [alice, bob] = people(cluster, 'alice', 'bob');
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      ids.unshift((await create(alice!.api, { members: [bob!.user] })).id);
      // Creations that follow each other more closely may come to an inbox in another order: they are in different
      // partitions.
      await vi.waitFor(async () => expect((await listed(bob!.api)).map(({ id }) => id)).toEqual(ids), 15_000);
    }
    expect((await listed(bob!.api))[0]).not.toHaveProperty('members');

    const seen: string[] = [];
    let after = '';
    for (let pages = 0; pages < 3; pages++) {
      const { body } = await bob!.api('GET', `/conversations?limit=2${after}`);
      seen.push(...(body['conversations'] as Conversation[]).map(({ id }) => id));
      expect(body['next'] === undefined).toBe(pages === 2);
      after = `&after=${String(body['next'])}`;
    }
    expect(seen).toEqual(ids);

    await alice!.api('POST', '/messages', textTo({ conversation: ids[3]! }, 'up'));
    await vi.waitFor(async () => {
      const [first] = await listed(bob!.api);
      expect(first).toMatchObject({
        id: ids[3],
        lastSeq: 1,
        readSeq: 0,
        unread: 1,
        last: { body: 'up', seq: 1 },
        memberCount: 2,
      });
    }, 15_000);
    expect((await listed(alice!.api, '?limit=1'))[0]).toMatchObject({ id: ids[3], readSeq: 1, unread: 0 });
    expect(await listed(service, `?user=${bob!.user}&limit=1`)).toEqual(await listed(bob!.api, '?limit=1'));
    expect(refusal(await service('GET', '/conversations'))).toEqual([400, 'bad_request']);
  });

  test('of a user whom nobody has written to is empty', async () => {
    const [alice] = people(cluster, 'alice');
    expect((await alice!.api('GET', '/conversations')).body).toEqual({ conversations: [] });
  });

  test.each(['x', '1', '1.', '.a', '1.a%20b', '', '-1.a'])('refuses the cursor %j', async (after) => {
    const [alice] = people(cluster, 'alice');
    expect(refusal(await alice!.api('GET', `/conversations?after=${after}`))).toEqual([400, 'bad_request']);
  });
});

describe('a direct conversation', () => {
  test('exists by use, names the peer, and never changes', async () => {
    const [alice, bob, carol] = people(cluster, 'alice', 'bob', 'carol');
    const id = directConversation(alice!.user, bob!.user);
    expect(refusal(await alice!.api('GET', `/conversations/${id}`))).toEqual([404, 'not_found']);
    expect(refusal(await alice!.api('GET', `/conversations/${id}/messages`))).toEqual([404, 'not_found']);
    await alice!.api('POST', '/messages', textTo({ to: bob!.user }));

    expect(conversationIn(await alice!.api('GET', `/conversations/${id}`))).toMatchObject({
      id,
      kind: 'direct',
      name: null,
      peer: bob!.user,
      memberCount: 2,
      lastSeq: 1,
      last: { body: 'hello' },
    });
    expect((await bob!.api('GET', `/conversations/${id}`)).body).toMatchObject({
      peer: alice!.user,
      unread: expect.any(Number),
    });
    const seen = conversationIn(await service('GET', `/conversations/${id}`));
    expect(usersOf(seen)).toEqual([alice!.user, bob!.user].sort());
    expect(seen.peer).toBeUndefined();

    for (const api of [alice!.api, service]) {
      expect(refusal(await api('PATCH', `/conversations/${id}`, { name: 'x' }))).toEqual([403, 'forbidden']);
      expect(refusal(await api('PUT', `/conversations/${id}/members/${carol!.user}`))).toEqual([403, 'forbidden']);
      expect(refusal(await api('DELETE', `/conversations/${id}/members/${bob!.user}`))).toEqual([403, 'forbidden']);
    }
    expect((await bob!.api('GET', `/conversations/${id}/members`)).body['members']).toEqual(
      [alice!.user, bob!.user].sort().map((user) => ({ user, joinedSeq: 0 })),
    );
  });
});

describe('PATCH /conversations/:id', () => {
  test('renames, by any member or a service token', async () => {
    const [alice, bob] = people(cluster, 'alice', 'bob');
    const { id } = await create(alice!.api, { members: [bob!.user] });
    const named = await bob!.api('PATCH', `/conversations/${id}`, { name: 'Chess ♟' });
    expect([named.status, named.body]).toEqual([
      200,
      { ...conversationIn(await bob!.api('GET', `/conversations/${id}`)), name: 'Chess ♟' },
    ]);
    expect(conversationIn(await service('PATCH', `/conversations/${id}`, { name: null })).name).toBeNull();
    expect(conversationIn(await service('PATCH', `/conversations/${id}?user=${bob!.user}`, { name: 'Go' })).name).toBe(
      'Go',
    );
    expect(conversationIn(await alice!.api('GET', `/conversations/${id}`)).name).toBe('Go');
    for (const fields of [{}, { name: 5 }, { name: 'x'.repeat(257) }]) {
      expect(refusal(await alice!.api('PATCH', `/conversations/${id}`, fields))).toEqual([400, 'bad_request']);
    }
  });

  test('writes nothing for what is so already', async () => {
    const [alice] = people(cluster, 'alice');
    const { id } = await create(alice!.api, { members: [], name: 'Tea' });
    const partition = cluster.keys.partitionOf(id);
    const state = async () => [
      await cluster.redis.hget(cluster.keys.partitionSlot(partition), 'appended'),
      await cluster.redis.hget(cluster.keys.conversation(partition, id), 'version'),
    ];
    const before = await state();
    for (const fields of [{ name: 'Tea' }, { name: 'Tea', historyDays: null }, { historyDays: null }]) {
      const reply = await service('PATCH', `/conversations/${id}`, fields);
      expect([reply.status, conversationIn(reply).name]).toEqual([200, 'Tea']);
    }
    expect(await state()).toEqual(before);
    await service('PATCH', `/conversations/${id}`, { historyDays: 40 });
    expect((await service('PATCH', `/conversations/${id}`, { name: 'Tea', historyDays: 40 })).status).toBe(200);
    await alice!.api('PATCH', `/conversations/${id}`, { name: '' });
    await alice!.api('PATCH', `/conversations/${id}`, { name: null });
    expect(await state()).toEqual([String(Number(before[0]) + 2), String(Number(before[1]) + 2)]);
  });
});
