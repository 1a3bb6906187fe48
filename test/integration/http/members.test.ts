import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { directConversation } from '../../../shared/model/ids.ts';
import { type Cluster, startCluster } from '../../support/cluster.ts';
import { type Api, apiOf, bodiesOf, refusal, textTo } from '../../support/http-client.ts';
import { conversationIn, create, listed, people, usersOf } from './conversation-calls.ts';

let cluster: Cluster;
let service: Api;
beforeAll(async () => {
  cluster = await startCluster();
  service = apiOf(cluster, cluster.token('shop', { scope: 'service' }));
});
afterAll(() => cluster.stop());

describe('a user who is not a member', () => {
  test('gets the answer of an unknown conversation, word for word, on every route', async () => {
    const [alice, bob, carol] = people(cluster, 'alice', 'bob', 'carol');
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
    const [alice, bob] = people(cluster, 'alice', 'bob');
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

describe('members', () => {
  test('are added and removed by members, each change once and as a message', async () => {
    const [alice, bob, carol] = people(cluster, 'alice', 'bob', 'carol');
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
    const [alice, bob, carol] = people(cluster, 'alice', 'bob', 'carol');
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
    const [alice] = people(cluster, 'alice');
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
    const [alice, bob] = people(cluster, 'alice', 'bob');
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
    const [alice, bob] = people(cluster, 'alice', 'bob');
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
