import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import {
  type Api,
  apiOf,
  bodiesOf,
  type Conversation,
  refusal,
  type Reply,
  textTo,
} from '../../support/http-client.ts';

let cluster: Cluster;
let service: Api;
beforeAll(async () => {
  cluster = await startCluster();
  service = apiOf(cluster, cluster.token('shop', { scope: 'service' }));
});
afterAll(() => cluster.stop());

type Person = { user: string; api: Api };
function people(...names: string[]): Person[] {
  return names.map((name) => {
    const user = cluster.user(name);
    return { user, api: apiOf(cluster, cluster.token(user)) };
  });
}

const conversationIn = (reply: Reply): Conversation => reply.body as unknown as Conversation;
const listed = async (api: Api, query = ''): Promise<Conversation[]> =>
  (await api('GET', `/conversations${query}`)).body['conversations'] as Conversation[];
const usersOf = ({ members }: Conversation): string[] => members!.map(({ user }) => user).sort();
async function create(api: Api, fields: object): Promise<Conversation> {
  const reply = await api('POST', '/conversations', fields);
  expect(reply.status).toBe(201);
  return conversationIn(reply);
}

describe('POST /conversations', () => {
  test('creates a group with its creator as a member', async () => {
    const [alice, bob] = people('alice', 'bob');
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
    const [alice] = people('alice');
    for (const fields of [{ members: [] }, { members: [], name: null }, { members: [alice!.user] }]) {
      expect(await create(alice!.api, fields)).toMatchObject({
        name: null,
        memberCount: 1,
        members: [{ user: alice!.user, joinedSeq: 0 }],
      });
    }
  });

  test('answers 200 to the same id and members, and conflict to other members', async () => {
    const [alice, bob, carol] = people('alice', 'bob', 'carol');
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
    const [alice] = people('alice');
    expect(refusal(await alice!.api('POST', '/conversations', fields))).toEqual([400, 'bad_request']);
  });

  test('a service token is no member, so it must name one', async () => {
    const [alice, bob] = people('alice', 'bob');
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
    const [alice] = people('alice');
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
    const [alice, bob] = people('alice', 'bob');
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
    const [alice] = people('alice');
    expect((await alice!.api('GET', '/conversations')).body).toEqual({ conversations: [] });
  });

  test.each(['x', '1', '1.', '.a', '1.a%20b', '', '-1.a'])('refuses the cursor %j', async (after) => {
    const [alice] = people('alice');
    expect(refusal(await alice!.api('GET', `/conversations?after=${after}`))).toEqual([400, 'bad_request']);
  });
});

describe('a direct conversation', () => {
  test('exists by use, names the peer, and never changes', async () => {
    const [alice, bob, carol] = people('alice', 'bob', 'carol');
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

describe('a user who is not a member', () => {
  test('gets the answer of an unknown conversation, word for word, on every route', async () => {
    const [alice, bob, carol] = people('alice', 'bob', 'carol');
    const { id: group } = await create(alice!.api, { members: [bob!.user] });
    await alice!.api('POST', '/messages', textTo({ to: bob!.user }));
    await alice!.api('POST', '/messages', textTo({ conversation: group }));
    const requests = (id: string) => [
      carol!.api('GET', `/conversations/${id}`),
      carol!.api('PATCH', `/conversations/${id}`, { name: 'mine' }),
      carol!.api('GET', `/conversations/${id}/messages`),
      carol!.api('GET', `/conversations/${id}/messages?after=0`),
      carol!.api('GET', `/conversations/${id}/members`),
      carol!.api('PUT', `/conversations/${id}/members/${carol!.user}`),
      carol!.api('DELETE', `/conversations/${id}/members/${alice!.user}`),
      carol!.api('DELETE', `/conversations/${id}/members/${carol!.user}`),
      carol!.api('PUT', `/conversations/${id}/read`, { seq: 1 }),
      carol!.api('POST', '/messages', textTo({ conversation: id })),
    ];
    const unknown = await Promise.all(requests('nobody-made-this'));
    for (const reply of unknown) expect(refusal(reply)).toEqual([404, 'not_found']);
    for (const id of [
      group,
      directConversation(alice!.user, bob!.user),
      directConversation(alice!.user, 'nobody-wrote'),
    ]) {
      const foreign = await Promise.all(requests(id));
      expect(foreign.map(({ status, text }) => [status, text])).toEqual(
        unknown.map(({ status, text }) => [status, text]),
      );
    }
    expect(usersOf(conversationIn(await alice!.api('GET', `/conversations/${group}`)))).toEqual(
      [alice!.user, bob!.user].sort(),
    );
  });

  test('any more reads its own time and nothing else', async () => {
    const [alice, bob] = people('alice', 'bob');
    const { id } = await create(alice!.api, { members: [bob!.user] });
    await vi.waitFor(async () => expect(await listed(bob!.api)).toHaveLength(1), 15_000);
    expect((await bob!.api('DELETE', `/conversations/${id}/members/${bob!.user}`)).status).toBe(204);
    for (const [method, path, body] of [
      ['GET', ''],
      ['GET', '/members'],
      ['PUT', '/read', { seq: 1 }],
      ['PATCH', '', { name: 'x' }],
      ['PUT', `/members/${bob!.user}`],
    ] as const) {
      expect(refusal(await bob!.api(method, `/conversations/${id}${path}`, body))).toEqual([404, 'not_found']);
    }
    expect(bodiesOf(await bob!.api('GET', `/conversations/${id}/messages`))).toEqual([
      { user: bob!.user, action: 'left' },
    ]);
    await vi.waitFor(async () => expect(await listed(bob!.api)).toEqual([]), 15_000);
  });
});

describe('PATCH /conversations/:id', () => {
  test('renames, by any member or a service token', async () => {
    const [alice, bob] = people('alice', 'bob');
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
    const [alice] = people('alice');
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

describe('members', () => {
  test('are added and removed by members, each change once and as a message', async () => {
    const [alice, bob, carol] = people('alice', 'bob', 'carol');
    const { id } = await create(alice!.api, { members: [bob!.user] });
    const path = `/conversations/${id}/members/${carol!.user}`;
    for (let times = 0; times < 2; times++) expect((await bob!.api('PUT', path)).status).toBe(204);
    const joined = conversationIn(await carol!.api('GET', `/conversations/${id}`));
    expect(joined).toMatchObject({
      lastSeq: 1,
      memberCount: 3,
      readSeq: 0,
      last: { kind: 'restante.membership', sender: bob!.user },
    });
    for (let times = 0; times < 2; times++) expect((await alice!.api('DELETE', path)).status).toBe(204);
    expect((await alice!.api('DELETE', `/conversations/${id}/members/${alice!.user}`)).status).toBe(204);

    const page = await bob!.api('GET', `/conversations/${id}/messages?after=0`);
    expect(page.body['messages']).toMatchObject([
      { seq: 1, sender: bob!.user, body: { user: carol!.user, action: 'joined' } },
      { seq: 2, sender: alice!.user, body: { user: carol!.user, action: 'removed' } },
      { seq: 3, sender: alice!.user, body: { user: alice!.user, action: 'left' } },
    ]);
    expect((await bob!.api('GET', `/conversations/${id}/members`)).body).toEqual({
      members: [{ user: bob!.user, joinedSeq: 0 }],
    });
  });

  test('of what a service token created are changed by service tokens alone', async () => {
    const [alice, bob, carol] = people('alice', 'bob', 'carol');
    const { id } = await create(service, { members: [alice!.user, bob!.user] });
    expect(refusal(await alice!.api('PUT', `/conversations/${id}/members/${carol!.user}`))).toEqual([403, 'forbidden']);
    expect(refusal(await alice!.api('DELETE', `/conversations/${id}/members/${alice!.user}`))).toEqual([
      403,
      'forbidden',
    ]);
    expect(refusal(await carol!.api('PUT', `/conversations/${id}/members/${carol!.user}`))).toEqual([404, 'not_found']);
    expect((await service('PUT', `/conversations/${id}/members/${carol!.user}`)).status).toBe(204);
    expect((await service('DELETE', `/conversations/${id}/members/${bob!.user}?user=${bob!.user}`)).status).toBe(204);
    // A service that acts for somebody keeps its own rights: carol could not do this, nor could a stranger.
    expect((await service('DELETE', `/conversations/${id}/members/${carol!.user}?user=stranger`)).status).toBe(204);
    const page = await alice!.api('GET', `/conversations/${id}/messages?after=0`);
    expect(page.body['messages']).toMatchObject([
      { sender: 'shop', body: { user: carol!.user, action: 'joined' } },
      { sender: bob!.user, body: { user: bob!.user, action: 'left' } },
      { sender: 'stranger', body: { user: carol!.user, action: 'removed' } },
    ]);
    expect((await alice!.api('GET', `/conversations/${id}/members?user=${bob!.user}`)).status).toBe(403);
    expect(refusal(await service('PUT', `/conversations/nowhere/members/${carol!.user}`))).toEqual([404, 'not_found']);
    expect((await service('PATCH', `/conversations/${id}`, { name: 'Order 8' })).status).toBe(200);
    expect((await alice!.api('PATCH', `/conversations/${id}`, { name: 'Order 9' })).status).toBe(200);
  });

  test('come in pages by rising id', async () => {
    const [alice] = people('alice');
    const others = Array.from({ length: 150 }, (_, i) => `m${String(i).padStart(3, '0')}`);
    const { id } = await create(alice!.api, { members: others });
    const everybody = [alice!.user, ...others].sort();
    const read = async (query: string) => {
      const { body } = await alice!.api('GET', `/conversations/${id}/members${query}`);
      return [(body['members'] as { user: string }[]).map(({ user }) => user), body['next']];
    };
    expect(await read('')).toEqual([everybody.slice(0, 100), everybody[99]]);
    expect(await read(`?after=${everybody[99]}`)).toEqual([everybody.slice(100), undefined]);
    expect(await read('?limit=151')).toEqual([everybody, undefined]);
    expect(await read('?limit=1000&after=zzz')).toEqual([[], undefined]);
    expect(await read('?limit=1')).toEqual([[everybody[0]], everybody[0]]);
  });
});

describe('PUT /conversations/:id/read', () => {
  test('moves forward only, and not beyond the last seq', async () => {
    const [alice, bob] = people('alice', 'bob');
    for (let i = 1; i <= 3; i++) await alice!.api('POST', '/messages', textTo({ to: bob!.user }, i));
    const id = directConversation(alice!.user, bob!.user);
    const unread = async () => (await listed(bob!.api)).map((one) => [one.lastSeq, one.readSeq, one.unread]);
    const read = async (api: Api, seq: unknown, query = '') => {
      const { status, body } = await api('PUT', `/conversations/${id}/read${query}`, { seq });
      return status === 200 ? body : [status, body.error!.code];
    };
    await vi.waitFor(async () => expect(await unread()).toEqual([[3, 0, 3]]), 15_000);
    expect(await read(bob!.api, 2)).toEqual({ conversation: id, seq: 2 });
    expect(await unread()).toEqual([[3, 2, 1]]);
    expect(await read(bob!.api, 1)).toEqual({ conversation: id, seq: 2 });
    expect(await read(bob!.api, 99)).toEqual({ conversation: id, seq: 3 });
    expect(await unread()).toEqual([[3, 3, 0]]);
    expect(await read(bob!.api, 0)).toEqual({ conversation: id, seq: 3 });
    expect(await read(service, 3, `?user=${bob!.user}`)).toEqual({ conversation: id, seq: 3 });
    expect(await read(service, 3)).toEqual([400, 'bad_request']);
    expect(await read(service, 3, '?user=nobody')).toEqual([404, 'not_found']);
    expect(await read(bob!.api, 3, `?user=${alice!.user}`)).toEqual([403, 'forbidden']);
    for (const seq of [-1, 1.5, '1', null, undefined, true, 9_007_199_254_740_992])
      expect(await read(bob!.api, seq)).toEqual([400, 'bad_request']);
  });

  test('begins at joining, and moves with what one sends oneself', async () => {
    const [alice, bob] = people('alice', 'bob');
    const { id } = await create(alice!.api, { members: [] });
    for (let i = 1; i <= 3; i++) await alice!.api('POST', '/messages', textTo({ conversation: id }, i));
    await alice!.api('PUT', `/conversations/${id}/members/${bob!.user}`);
    await vi.waitFor(
      async () => expect(await listed(bob!.api)).toMatchObject([{ lastSeq: 4, readSeq: 3, unread: 1 }]),
      15_000,
    );
    expect(conversationIn(await bob!.api('GET', `/conversations/${id}`)).members).toContainEqual({
      user: bob!.user,
      joinedSeq: 3,
    });
    await bob!.api('POST', '/messages', textTo({ conversation: id }, 'hi'));
    await vi.waitFor(
      async () => expect(await listed(bob!.api)).toMatchObject([{ lastSeq: 5, readSeq: 5, unread: 0 }]),
      15_000,
    );
  });
});
